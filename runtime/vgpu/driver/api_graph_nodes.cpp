// Entry points: the nodes of graphs and their parameters, in graphs and in executable ones.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>
#include <cstring>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
// Work made of the API's parameters, or why it cannot be.
struct Made {
  Made(CUresult why) : failed(why) {}
  Made(Work made) : work(std::move(made)) {}
  CUresult failed = SUCCESS;
  Work work;
};
Made valid(Work work) {
  if (CUresult r = validate(work))
    return r;
  return work;
}
// Version 1 of a kernel's parameters ends before `kernel`.
Made kernelOf(const KernelNodeParams *params, bool first) {
  if (CUresult r = ready())
    return r;
  if (!params)
    return INVALID_VALUE;
  KernelNodeParams copy{};
  std::memcpy(&copy, params, first ? kernelNodeParamsV1 : sizeof copy);
  KernelWork made;
  if (CUresult r = kernelWork(copy, made))
    return r;
  return Work(std::move(made));
}
template <class T, class P> Made workOf(const P *params) {
  if (CUresult r = started())
    return r;
  if (!params)
    return INVALID_VALUE;
  return valid(T{*params});
}
Made setOf(const MemsetNodeParams *params) { return workOf<MemsetNodeParams>(params); }
Made copyOf(const Memcpy3D *params) { return workOf<CopyWork>(params); }
Made hostOf(const HostNodeParams *params) { return workOf<HostWork>(params); }
template <class T> Made eventOf(CUevent event) { return workOf<T>(&event); }
Made childOf(CUgraph graph, const CUgraph parent) {
  if (CUresult r = started())
    return r;
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  if (graph == parent)
    return INVALID_VALUE;
  GraphObject *copy = cloneGraph(*graph);
  copy->embedded = true;
  return Work(ChildWork{std::shared_ptr<GraphObject>(copy, destroyGraph)});
}
Made opsOf(const MemOpNodeParams *params) {
  if (CUresult r = started())
    return r;
  if (!params || !params->ops || !params->count || params->count > 256 || params->flags)
    return INVALID_VALUE;
  return valid(MemOpWork{params->context, std::vector<MemOp>(params->ops, params->ops + params->count)});
}
Made allocOf(AllocNodeParams *params) {
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
  return Work(std::move(made));
}

CUresult add(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count, Made made) {
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
  if (made.failed)
    return made.failed;
  *out = addNode(*graph, std::move(made.work), dependencies, count);
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
template <class T> CUresult change(CUgraphNode node, Made made) {
  T *old = nullptr;
  if (CUresult r = nodeOf(node, old))
    return r;
  if (made.failed)
    return made.failed;
  node->work = std::move(made.work);
  return SUCCESS;
}
// What `of` says of the node's work, in *out.
template <class T, class Out, class Of> CUresult answer(CUgraphNode node, Out *out, Of of) {
  T *work = nullptr;
  if (CUresult r = nodeOf(node, work))
    return r;
  if (!out)
    return INVALID_VALUE;
  *out = of(*work);
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
CUresult changeStep(CUgraphExec exec, CUgraphNode node, Made made) {
  ExecObject::Step *step = nullptr;
  if (CUresult r = stepOf(exec, node, step))
    return r;
  if (made.failed)
    return made.failed;
  if (step->work.index() != made.work.index())
    return INVALID_VALUE;
  step->work = std::move(made.work);
  return SUCCESS;
}

// The union of cuGraphAddNode and its kin.
Made anyOf(GraphNodeParams *p, CUgraph parent) {
  if (CUresult r = started())
    return r;
  if (!p)
    return INVALID_VALUE;
  switch (p->type) {
  case 0:
    return kernelOf(&p->kernel, false);
  case 1:
    return copyOf(&p->memcpy.copy);
  case 2:
    return setOf(&p->memset);
  case 3:
    return hostOf(&p->host);
  case 4:
    return childOf(p->graph, parent);
  case 5:
    return Work(EmptyWork{});
  case 6:
    return eventOf<WaitWork>(p->event);
  case 7:
    return eventOf<RecordWork>(p->event);
  case 10:
    return allocOf(&p->alloc);
  case 11:
    return workOf<FreeWork>(&p->freed);
  case 12:
    return opsOf(&p->memOps);
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
  return add(out, graph, dependencies, count, kernelOf(params, false));
}
CUresult cuGraphAddKernelNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                              const KernelNodeParams *params) {
  Guard hold;
  return add(out, graph, dependencies, count, kernelOf(params, true));
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
  return change<KernelWork>(node, kernelOf(params, false));
}
CUresult cuGraphKernelNodeSetParams(CUgraphNode node, const KernelNodeParams *params) {
  Guard hold;
  return change<KernelWork>(node, kernelOf(params, true));
}
CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node, const KernelNodeParams *params) {
  Guard hold;
  return changeStep(exec, node, kernelOf(params, false));
}
CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node, const KernelNodeParams *params) {
  Guard hold;
  return changeStep(exec, node, kernelOf(params, true));
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
  return add(out, graph, dependencies, count, copyOf(params));
}
CUresult cuGraphMemcpyNodeGetParams(CUgraphNode node, Memcpy3D *params) {
  Guard hold;
  return answer<CopyWork>(node, params, [](auto &work) { return work.box; });
}
CUresult cuGraphMemcpyNodeSetParams(CUgraphNode node, const Memcpy3D *params) {
  Guard hold;
  return change<CopyWork>(node, copyOf(params));
}
CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const Memcpy3D *params, CUcontext) {
  Guard hold;
  return changeStep(exec, node, copyOf(params));
}

// Sets.
CUresult cuGraphAddMemsetNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                              const MemsetNodeParams *params, CUcontext) {
  Guard hold;
  return add(out, graph, dependencies, count, setOf(params));
}
CUresult cuGraphMemsetNodeGetParams(CUgraphNode node, MemsetNodeParams *params) {
  Guard hold;
  return answer<MemsetNodeParams>(node, params, [](auto &work) { return work; });
}
CUresult cuGraphMemsetNodeSetParams(CUgraphNode node, const MemsetNodeParams *params) {
  Guard hold;
  return change<MemsetNodeParams>(node, setOf(params));
}
CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node, const MemsetNodeParams *params, CUcontext) {
  Guard hold;
  return changeStep(exec, node, setOf(params));
}

// Functions of the host.
CUresult cuGraphAddHostNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                            const HostNodeParams *params) {
  Guard hold;
  return add(out, graph, dependencies, count, hostOf(params));
}
CUresult cuGraphHostNodeGetParams(CUgraphNode node, HostNodeParams *params) {
  Guard hold;
  return answer<HostWork>(node, params, [](auto &work) { return work.call; });
}
CUresult cuGraphHostNodeSetParams(CUgraphNode node, const HostNodeParams *params) {
  Guard hold;
  return change<HostWork>(node, hostOf(params));
}
CUresult cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node, const HostNodeParams *params) {
  Guard hold;
  return changeStep(exec, node, hostOf(params));
}

CUresult cuGraphAddEmptyNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count) {
  Guard hold;
  return add(out, graph, dependencies, count, Work(EmptyWork{}));
}

// Graphs in graphs.
CUresult cuGraphAddChildGraphNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                  CUgraph child) {
  Guard hold;
  return add(out, graph, dependencies, count, childOf(child, graph));
}
CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *graph) {
  Guard hold;
  return answer<ChildWork>(node, graph, [](auto &work) { return work.graph.get(); });
}

// Events.
CUresult cuGraphAddEventRecordNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                   CUevent event) {
  Guard hold;
  return add(out, graph, dependencies, count, eventOf<RecordWork>(event));
}
CUresult cuGraphAddEventWaitNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                 CUevent event) {
  Guard hold;
  return add(out, graph, dependencies, count, eventOf<WaitWork>(event));
}
CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode node, CUevent *event) {
  Guard hold;
  return answer<RecordWork>(node, event, [](auto &work) { return work.event; });
}
CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode node, CUevent *event) {
  Guard hold;
  return answer<WaitWork>(node, event, [](auto &work) { return work.event; });
}
CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event) {
  Guard hold;
  return change<RecordWork>(node, eventOf<RecordWork>(event));
}
CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event) {
  Guard hold;
  return change<WaitWork>(node, eventOf<WaitWork>(event));
}
CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  Guard hold;
  return changeStep(exec, node, eventOf<RecordWork>(event));
}
CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  Guard hold;
  return changeStep(exec, node, eventOf<WaitWork>(event));
}

// Memory.
CUresult cuGraphAddMemAllocNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                AllocNodeParams *params) {
  Guard hold;
  return add(out, graph, dependencies, count, allocOf(params));
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
  return add(out, graph, dependencies, count, workOf<FreeWork>(&address));
}
CUresult cuGraphMemFreeNodeGetParams(CUgraphNode node, CUdeviceptr *address) {
  Guard hold;
  return answer<FreeWork>(node, address, [](auto &work) { return work.address; });
}
CUresult cuGraphAddBatchMemOpNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                  const MemOpNodeParams *params) {
  Guard hold;
  return add(out, graph, dependencies, count, opsOf(params));
}
CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode node, MemOpNodeParams *params) {
  Guard hold;
  return answer<MemOpWork>(node, params, [](auto &work) {
    return MemOpNodeParams{work.context, unsigned(work.ops.size()), work.ops.data(), 0};
  });
}
CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode node, const MemOpNodeParams *params) {
  Guard hold;
  return change<MemOpWork>(node, opsOf(params));
}
CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec exec, CUgraphNode node, const MemOpNodeParams *params) {
  Guard hold;
  return changeStep(exec, node, opsOf(params));
}

// Any of them.
CUresult cuGraphAddNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                        GraphNodeParams *params) {
  Guard hold;
  return add(out, graph, dependencies, count, anyOf(params, graph));
}
CUresult cuGraphAddNode_v2(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, const EdgeData *,
                           size_t count, GraphNodeParams *params) {
  return cuGraphAddNode(out, graph, dependencies, count, params);
}
CUresult cuGraphNodeSetParams(CUgraphNode node, GraphNodeParams *params) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(node, nodeKind))
    return INVALID_HANDLE;
  Made made = anyOf(params, node->graph);
  if (made.failed)
    return made.failed;
  if (made.work.index() != node->work.index() || std::holds_alternative<AllocWork>(made.work))
    return INVALID_VALUE;
  node->work = std::move(made.work);
  return SUCCESS;
}
CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraph graph);
CUresult cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node, GraphNodeParams *params) {
  Guard hold;
  ExecObject::Step *step = nullptr;
  if (CUresult r = stepOf(exec, node, step))
    return r;
  if (params && params->type == 4)
    return cuGraphExecChildGraphNodeSetParams(exec, node, params->graph);
  return changeStep(exec, node, anyOf(params, nullptr));
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
