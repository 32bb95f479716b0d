// Entry points: the nodes of graphs and their parameters, in graphs and in executable ones.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>
#include <cstring>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
// Parameters as the API has them become work. Version 1 of a kernel's parameters ends before `kernel`.
CUresult kernelOf(const KernelNodeParams *params, bool first, Work &work) {
  if (CUresult r = ready())
    return r;
  if (!params)
    return INVALID_VALUE;
  KernelNodeParams copy{};
  std::memcpy(&copy, params, first ? kernelNodeParamsV1 : sizeof copy);
  KernelWork made;
  if (CUresult r = kernelWork(copy, made))
    return r;
  work = std::move(made);
  return SUCCESS;
}
template <class T, class P> CUresult workOf(const P *params, Work &work) {
  if (CUresult r = started())
    return r;
  if (!params)
    return INVALID_VALUE;
  work = T{*params};
  return validate(work);
}
CUresult setOf(const MemsetNodeParams *params, Work &work) { return workOf<MemsetNodeParams>(params, work); }
CUresult copyOf(const Memcpy3D *params, Work &work) { return workOf<CopyWork>(params, work); }
CUresult hostOf(const HostNodeParams *params, Work &work) { return workOf<HostWork>(params, work); }
template <class T> CUresult eventOf(CUevent event, Work &work) {
  if (CUresult r = started())
    return r;
  work = T{event};
  return validate(work);
}
CUresult childOf(CUgraph graph, const CUgraph parent, Work &work) {
  if (CUresult r = started())
    return r;
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  if (graph == parent)
    return INVALID_VALUE;
  GraphObject *copy = cloneGraph(*graph);
  copy->embedded = true;
  work = ChildWork{std::shared_ptr<GraphObject>(copy, destroyGraph)};
  return SUCCESS;
}
CUresult opsOf(const MemOpNodeParams *params, Work &work) {
  if (CUresult r = started())
    return r;
  if (!params || !params->ops || !params->count || params->count > 256 || params->flags)
    return INVALID_VALUE;
  work = MemOpWork{params->context, std::vector<MemOp>(params->ops, params->ops + params->count)};
  return validate(work);
}
CUresult allocOf(AllocNodeParams *params, Work &work) {
  if (CUresult r = started())
    return r;
  if (!params || params->pool.allocType != 1 || (params->accessCount && !params->access))
    return INVALID_VALUE;
  AllocWork made;
  made.params = *params;
  made.access.assign(params->access, params->access + params->accessCount);
  if (CUresult r = reserveGraphMemory(made))
    return r;
  params->address = made.params.address;
  work = std::move(made);
  return SUCCESS;
}

CUresult add(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count, CUresult made,
             Work &&work) {
  if (CUresult r = started())
    return r;
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  if (!out || (count && !dependencies))
    return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    if (!alive(dependencies[i], nodeKind) || dependencies[i]->graph != graph)
      return INVALID_VALUE;
    if (std::find(dependencies, dependencies + i, dependencies[i]) != dependencies + i)
      return INVALID_VALUE;
  }
  if (made)
    return made;
  *out = addNode(*graph, std::move(work), dependencies, count);
  return SUCCESS;
}

// A node whose work is a T; INVALID_VALUE where it is another's.
template <class T> CUresult nodeOf(CUgraphNode node, T *&work) {
  if (CUresult r = started())
    return r;
  if (!alive(node, nodeKind))
    return INVALID_HANDLE;
  work = std::get_if<T>(&node->work);
  return work ? SUCCESS : INVALID_VALUE;
}
template <class T> CUresult change(CUgraphNode node, CUresult made, Work &&work) {
  T *old = nullptr;
  if (CUresult r = nodeOf(node, old))
    return r;
  if (made)
    return made;
  node->work = std::move(work);
  return SUCCESS;
}

CUresult stepOf(CUgraphExec exec, CUgraphNode node, ExecObject::Step *&step) {
  if (CUresult r = started())
    return r;
  if (!alive(exec, execKind) || !alive(node, nodeKind))
    return INVALID_HANDLE;
  for (ExecObject::Step &s : exec->steps)
    if (s.id == node->id) {
      step = &s;
      return SUCCESS;
    }
  return INVALID_VALUE;
}
// What the step does may change, of what kind it is may not.
CUresult changeStep(CUgraphExec exec, CUgraphNode node, CUresult made, Work &&work) {
  ExecObject::Step *step = nullptr;
  if (CUresult r = stepOf(exec, node, step))
    return r;
  if (made)
    return made;
  if (step->work.index() != work.index())
    return INVALID_VALUE;
  step->work = std::move(work);
  return SUCCESS;
}

// The union of cuGraphAddNode and its kin.
CUresult anyOf(GraphNodeParams *p, CUgraph parent, Work &work) {
  if (CUresult r = started())
    return r;
  if (!p)
    return INVALID_VALUE;
  switch (p->type) {
  case 0:
    return kernelOf(&p->kernel, false, work);
  case 1:
    return copyOf(&p->memcpy.copy, work);
  case 2:
    return setOf(&p->memset, work);
  case 3:
    return hostOf(&p->host, work);
  case 4:
    return childOf(p->graph, parent, work);
  case 5:
    work = EmptyWork{};
    return SUCCESS;
  case 6:
    return eventOf<WaitWork>(p->event, work);
  case 7:
    return eventOf<RecordWork>(p->event, work);
  case 10:
    return allocOf(&p->alloc, work);
  case 11:
    return workOf<FreeWork>(&p->freed, work);
  case 12:
    return opsOf(&p->memOps, work);
  case 8:
  case 9:
  case 13:
    return NOT_SUPPORTED;
  default:
    return INVALID_VALUE;
  }
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

// Kernels.
CUresult cuGraphAddKernelNode_v2(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                 const KernelNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = kernelOf(params, false, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphAddKernelNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                              const KernelNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = kernelOf(params, true, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, KernelNodeParams *params) {
  Guard hold;
  KernelWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!params)
    return INVALID_VALUE;
  if (!alive(work->shape.function, functionKind))
    return INVALID_HANDLE;
  node->argumentSlots.clear();
  for (const Parameter &p : work->shape.function->program->parameters)
    node->argumentSlots.push_back(work->arguments.data() + p.offset);
  *params = work->shape;
  params->kernelParams = node->argumentSlots.data();
  params->context = work->shape.function->module->context;
  return SUCCESS;
}
CUresult cuGraphKernelNodeGetParams(CUgraphNode node, KernelNodeParams *params) {
  Guard hold;
  KernelNodeParams whole{};
  CUresult r = cuGraphKernelNodeGetParams_v2(node, params ? &whole : nullptr);
  if (r == SUCCESS)
    std::memcpy(params, &whole, kernelNodeParamsV1);
  return r;
}
CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const KernelNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = kernelOf(params, false, work);
  return change<KernelWork>(node, made, std::move(work));
}
CUresult cuGraphKernelNodeSetParams(CUgraphNode node, const KernelNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = kernelOf(params, true, work);
  return change<KernelWork>(node, made, std::move(work));
}
CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node, const KernelNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = kernelOf(params, false, work);
  return changeStep(exec, node, made, std::move(work));
}
CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node, const KernelNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = kernelOf(params, true, work);
  return changeStep(exec, node, made, std::move(work));
}
// CUlaunchAttributeID: 2 cooperative, 4 cluster, 8 priority.
CUresult cuGraphKernelNodeGetAttribute(CUgraphNode node, int attribute, void *value) {
  Guard hold;
  KernelWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!value || attribute < 1 || attribute > 16)
    return INVALID_VALUE;
  std::memset(value, 0, sizeof(LaunchAttribute::value));
  if (attribute == 2 || attribute == 8)
    *static_cast<int *>(value) = attribute == 2 ? work->cooperative : work->priority;
  if (attribute == 4)
    std::memcpy(value, work->cluster, sizeof work->cluster);
  return SUCCESS;
}
CUresult cuGraphKernelNodeSetAttribute(CUgraphNode node, int attribute, const void *value) {
  Guard hold;
  KernelWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!value || attribute < 1 || attribute > 16)
    return INVALID_VALUE;
  KernelWork changed = *work;
  if (attribute == 2)
    changed.cooperative = *static_cast<const int *>(value) != 0;
  if (attribute == 8)
    changed.priority = *static_cast<const int *>(value);
  if (attribute == 4)
    std::memcpy(changed.cluster, value, sizeof changed.cluster);
  if (CUresult r = validate(changed))
    return r;
  *work = std::move(changed);
  return SUCCESS;
}
CUresult cuGraphKernelNodeCopyAttributes(CUgraphNode to, CUgraphNode from) {
  Guard hold;
  KernelWork *a = nullptr, *b = nullptr;
  if (CUresult r = nodeOf(to, a))
    return r;
  if (CUresult r = nodeOf(from, b))
    return r;
  a->cooperative = b->cooperative;
  a->priority = b->priority;
  std::copy_n(b->cluster, 3, a->cluster);
  return SUCCESS;
}

// Copies.
CUresult cuGraphAddMemcpyNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                              const Memcpy3D *params, CUcontext) {
  Guard hold;
  Work work;
  CUresult made = copyOf(params, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphMemcpyNodeGetParams(CUgraphNode node, Memcpy3D *params) {
  Guard hold;
  CopyWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!params)
    return INVALID_VALUE;
  *params = work->box;
  return SUCCESS;
}
CUresult cuGraphMemcpyNodeSetParams(CUgraphNode node, const Memcpy3D *params) {
  Guard hold;
  Work work;
  CUresult made = copyOf(params, work);
  return change<CopyWork>(node, made, std::move(work));
}
CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const Memcpy3D *params, CUcontext) {
  Guard hold;
  Work work;
  CUresult made = copyOf(params, work);
  return changeStep(exec, node, made, std::move(work));
}

// Sets.
CUresult cuGraphAddMemsetNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                              const MemsetNodeParams *params, CUcontext) {
  Guard hold;
  Work work;
  CUresult made = setOf(params, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphMemsetNodeGetParams(CUgraphNode node, MemsetNodeParams *params) {
  Guard hold;
  MemsetNodeParams *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!params)
    return INVALID_VALUE;
  *params = *work;
  return SUCCESS;
}
CUresult cuGraphMemsetNodeSetParams(CUgraphNode node, const MemsetNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = setOf(params, work);
  return change<MemsetNodeParams>(node, made, std::move(work));
}
CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node, const MemsetNodeParams *params, CUcontext) {
  Guard hold;
  Work work;
  CUresult made = setOf(params, work);
  return changeStep(exec, node, made, std::move(work));
}

// Functions of the host.
CUresult cuGraphAddHostNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                            const HostNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = hostOf(params, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphHostNodeGetParams(CUgraphNode node, HostNodeParams *params) {
  Guard hold;
  HostWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!params)
    return INVALID_VALUE;
  *params = work->call;
  return SUCCESS;
}
CUresult cuGraphHostNodeSetParams(CUgraphNode node, const HostNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = hostOf(params, work);
  return change<HostWork>(node, made, std::move(work));
}
CUresult cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const HostNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = hostOf(params, work);
  return changeStep(exec, node, made, std::move(work));
}

CUresult cuGraphAddEmptyNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count) {
  Guard hold;
  return add(out, graph, dependencies, count, SUCCESS, EmptyWork{});
}

// Graphs in graphs.
CUresult cuGraphAddChildGraphNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                  CUgraph child) {
  Guard hold;
  Work work;
  CUresult made = childOf(child, graph, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *graph) {
  Guard hold;
  ChildWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!graph)
    return INVALID_VALUE;
  *graph = work->graph.get();
  return SUCCESS;
}

// Events.
CUresult cuGraphAddEventRecordNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                   CUevent event) {
  Guard hold;
  Work work;
  CUresult made = eventOf<RecordWork>(event, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphAddEventWaitNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                 CUevent event) {
  Guard hold;
  Work work;
  CUresult made = eventOf<WaitWork>(event, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode node, CUevent *event) {
  Guard hold;
  RecordWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!event)
    return INVALID_VALUE;
  *event = work->event;
  return SUCCESS;
}
CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode node, CUevent *event) {
  Guard hold;
  WaitWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!event)
    return INVALID_VALUE;
  *event = work->event;
  return SUCCESS;
}
CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event) {
  Guard hold;
  Work work;
  CUresult made = eventOf<RecordWork>(event, work);
  return change<RecordWork>(node, made, std::move(work));
}
CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event) {
  Guard hold;
  Work work;
  CUresult made = eventOf<WaitWork>(event, work);
  return change<WaitWork>(node, made, std::move(work));
}
CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  Guard hold;
  Work work;
  CUresult made = eventOf<RecordWork>(event, work);
  return changeStep(exec, node, made, std::move(work));
}
CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  Guard hold;
  Work work;
  CUresult made = eventOf<WaitWork>(event, work);
  return changeStep(exec, node, made, std::move(work));
}

// Memory.
CUresult cuGraphAddMemAllocNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                AllocNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = allocOf(params, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphMemAllocNodeGetParams(CUgraphNode node, AllocNodeParams *params) {
  Guard hold;
  AllocWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!params)
    return INVALID_VALUE;
  *params = work->params;
  params->access = work->access.data();
  return SUCCESS;
}
CUresult cuGraphAddMemFreeNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                               CUdeviceptr address) {
  Guard hold;
  Work work;
  CUresult made = workOf<FreeWork>(&address, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr *address) {
  Guard hold;
  FreeWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!address)
    return INVALID_VALUE;
  *address = work->address;
  return SUCCESS;
}
CUresult cuGraphAddBatchMemOpNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                  const MemOpNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = opsOf(params, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode node, MemOpNodeParams *params) {
  Guard hold;
  MemOpWork *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!params)
    return INVALID_VALUE;
  *params = {work->context, unsigned(work->ops.size()), work->ops.data(), 0};
  return SUCCESS;
}
CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode node, const MemOpNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = opsOf(params, work);
  return change<MemOpWork>(node, made, std::move(work));
}
CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec exec, CUgraphNode node, const MemOpNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = opsOf(params, work);
  return changeStep(exec, node, made, std::move(work));
}

// Any of them.
CUresult cuGraphAddNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                        GraphNodeParams *params) {
  Guard hold;
  Work work;
  CUresult made = anyOf(params, graph, work);
  return add(out, graph, dependencies, count, made, std::move(work));
}
CUresult cuGraphAddNode_v2(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, const EdgeData *,
                           size_t count, GraphNodeParams *params) {
  return cuGraphAddNode(out, graph, dependencies, count, params);
}
CUresult cuGraphNodeSetParams(CUgraphNode node, GraphNodeParams *params) {
  Guard hold;
  Work work;
  if (CUresult r = started())
    return r;
  if (!alive(node, nodeKind))
    return INVALID_HANDLE;
  if (CUresult r = anyOf(params, node->graph, work))
    return r;
  if (work.index() != node->work.index() || std::holds_alternative<AllocWork>(work))
    return INVALID_VALUE;
  node->work = std::move(work);
  return SUCCESS;
}
CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraph graph);
CUresult cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node, GraphNodeParams *params) {
  Guard hold;
  Work work;
  ExecObject::Step *step = nullptr;
  if (CUresult r = stepOf(exec, node, step))
    return r;
  if (params && params->type == 4)
    return cuGraphExecChildGraphNodeSetParams(exec, node, params->graph);
  CUresult made = anyOf(params, nullptr, work);
  return changeStep(exec, node, made, std::move(work));
}
CUresult cuGraphNodeSetEnabled(CUgraphExec exec, CUgraphNode node, unsigned enabled) {
  Guard hold;
  ExecObject::Step *step = nullptr;
  if (CUresult r = stepOf(exec, node, step))
    return r;
  if (nodeTypeOf(step->work) > 2) // kernels, copies and sets can be switched
    return INVALID_VALUE;
  step->enabled = enabled != 0;
  return SUCCESS;
}
CUresult cuGraphNodeGetEnabled(CUgraphExec exec, CUgraphNode node, unsigned *enabled) {
  Guard hold;
  ExecObject::Step *step = nullptr;
  if (CUresult r = stepOf(exec, node, step))
    return r;
  if (!enabled || nodeTypeOf(step->work) > 2)
    return INVALID_VALUE;
  *enabled = step->enabled;
  return SUCCESS;
}
}
#pragma GCC visibility pop
