// Entry points: streams, events, graphs. Work runs when it is submitted, so every order that a program may rely on
// holds; time is modelled: a stream has a clock that its work advances.
#include "runtime/vgpu/driver/state.h"
#include <algorithm>
#include <cstring>
#include <set>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
using Guard = std::lock_guard<std::recursive_mutex>;
using NodeType = NodeObject::Type;

CUresult addNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count, NodeObject &&node) {
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  if (!out || (count && !dependencies))
    return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i)
    if (!alive(dependencies[i], nodeKind) || dependencies[i]->graph != graph)
      return INVALID_VALUE;
  NodeObject &made = graph->nodes.emplace_back(std::move(node));
  made.graph = graph;
  made.dependencies.assign(dependencies, dependencies + count);
  born(&made, nodeKind);
  *out = &made;
  return SUCCESS;
}

std::function<CUresult(StreamObject &)> kernelStep(const KernelNodeParams &shape, std::vector<uint8_t> arguments) {
  FunctionObject *function = shape.function;
  return [=](StreamObject &s) {
    uint32_t cluster[3] = {1, 1, 1};
    return alive(function, functionKind) ? launch(*function, shape, cluster, false, arguments, s) : INVALID_HANDLE;
  };
}

// The nodes so that each comes after its dependencies; empty when there is a cycle.
std::vector<const NodeObject *> ordered(const GraphObject &graph) {
  std::vector<const NodeObject *> order;
  std::set<const NodeObject *> done;
  for (bool more = true; more;) {
    more = false;
    for (const NodeObject &n : graph.nodes) {
      if (done.count(&n))
        continue;
      if (std::all_of(n.dependencies.begin(), n.dependencies.end(),
                      [&](const NodeObject *d) { return done.count(d); })) {
        done.insert(&n);
        order.push_back(&n);
        more = true;
      }
    }
  }
  if (order.size() != graph.nodes.size())
    order.clear();
  return order;
}

void destroyGraph(CUgraph graph) {
  for (NodeObject &n : graph->nodes)
    died(&n);
  died(graph);
  delete graph;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!stream || flags > 1)
    return INVALID_VALUE;
  auto *made = new StreamObject;
  made->context = current();
  made->flags = flags;
  made->priority = std::clamp(priority, -5, 0);
  made->id = state().nextId++;
  born(made, streamKind);
  *stream = made;
  return SUCCESS;
}
CUresult cuStreamCreate(CUstream *stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }
CUresult cuStreamDestroy_v2(CUstream stream) {
  Guard hold(state().lock);
  if (!alive(stream, streamKind))
    return INVALID_HANDLE;
  died(stream);
  delete stream;
  return SUCCESS;
}
CUresult cuStreamSynchronize(CUstream stream) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  return !s ? INVALID_HANDLE : s->capture ? STREAM_CAPTURE_UNSUPPORTED : SUCCESS;
}
CUresult cuStreamQuery(CUstream stream) { return cuStreamSynchronize(stream); }
CUresult cuStreamGetFlags(CUstream stream, unsigned *flags) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!s || !flags)
    return s ? INVALID_VALUE : INVALID_HANDLE;
  *flags = s->flags;
  return SUCCESS;
}
CUresult cuStreamGetPriority(CUstream stream, int *priority) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!s || !priority)
    return s ? INVALID_VALUE : INVALID_HANDLE;
  *priority = s->priority;
  return SUCCESS;
}
CUresult cuStreamGetCtx(CUstream stream, CUcontext *context) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!s || !context)
    return s ? INVALID_VALUE : INVALID_HANDLE;
  *context = s->context;
  return SUCCESS;
}
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!s || !alive(event, eventKind))
    return INVALID_HANDLE;
  if (event->capture && alive(event->capture, graphKind)) {
    // The waiting stream joins the capture.
    if (s->capture && s->capture != event->capture)
      return STREAM_CAPTURE_INVALIDATED;
    s->capture = event->capture;
    NodeObject *join = nullptr;
    CUresult r = submit(stream, NodeType::empty, [](StreamObject &) { return SUCCESS; }, &join);
    if (join && event->captureNode)
      join->dependencies.push_back(event->captureNode);
    return r;
  }
  if (event->recorded)
    s->clockUs = std::max(s->clockUs, event->timeUs);
  return SUCCESS;
}
CUresult cuLaunchHostFunc(CUstream stream, CUhostFn fn, void *data) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!fn)
    return INVALID_VALUE;
  return submit(stream, NodeType::host, [=](StreamObject &) { return fn(data), SUCCESS; });
}
CUresult cuStreamAddCallback(CUstream stream, void (*fn)(CUstream, CUresult, void *), void *data, unsigned flags) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!fn || flags)
    return INVALID_VALUE;
  if (!s || s->capture)
    return s ? STREAM_CAPTURE_UNSUPPORTED : INVALID_HANDLE;
  fn(stream, SUCCESS, data);
  return SUCCESS;
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!event)
    return INVALID_VALUE;
  auto *made = new EventObject;
  made->context = current();
  made->flags = flags;
  born(made, eventKind);
  *event = made;
  return SUCCESS;
}
CUresult cuEventDestroy_v2(CUevent event) {
  Guard hold(state().lock);
  if (!alive(event, eventKind))
    return INVALID_HANDLE;
  died(event);
  delete event;
  return SUCCESS;
}
CUresult cuEventRecordWithFlags(CUevent event, CUstream stream, unsigned) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!s || !alive(event, eventKind))
    return INVALID_HANDLE;
  event->capture = s->capture;
  event->captureNode = s->captureLast;
  event->recorded = !s->capture;
  event->timeUs = s->clockUs;
  return SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream stream) { return cuEventRecordWithFlags(event, stream, 0); }
CUresult cuEventQuery(CUevent event) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  return alive(event, eventKind) ? SUCCESS : INVALID_HANDLE;
}
CUresult cuEventSynchronize(CUevent event) { return cuEventQuery(event); }
CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent from, CUevent to) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!milliseconds)
    return INVALID_VALUE;
  if (!alive(from, eventKind) || !alive(to, eventKind) || !from->recorded || !to->recorded || (from->flags & 2) ||
      (to->flags & 2))
    return INVALID_HANDLE;
  *milliseconds = float((to->timeUs - from->timeUs) / 1000);
  return SUCCESS;
}
CUresult cuEventElapsedTime(float *milliseconds, CUevent from, CUevent to) {
  return cuEventElapsedTime_v2(milliseconds, from, to);
}

CUresult cuStreamBeginCapture_v2(CUstream stream, int) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(stream, streamKind))
    return reinterpret_cast<uintptr_t>(stream) <= 2 ? STREAM_CAPTURE_UNSUPPORTED : INVALID_HANDLE;
  if (stream->capture)
    return ILLEGAL_STATE;
  auto *graph = new GraphObject;
  born(graph, graphKind);
  stream->capture = graph;
  stream->captureOrigin = true;
  stream->captureLast = nullptr;
  return SUCCESS;
}
CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(stream, streamKind))
    return INVALID_HANDLE;
  if (!graph)
    return INVALID_VALUE;
  if (!stream->capture || !stream->captureOrigin)
    return STREAM_CAPTURE_UNMATCHED;
  *graph = stream->capture;
  for (auto &[handle, kind] : state().handles) // streams that joined through events
    if (kind == streamKind) {
      auto *s = static_cast<StreamObject *>(const_cast<void *>(handle));
      if (s->capture == *graph) {
        s->capture = nullptr;
        s->captureOrigin = false;
        s->captureLast = nullptr;
      }
    }
  return SUCCESS;
}
CUresult cuStreamIsCapturing(CUstream stream, int *status) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  StreamObject *s = streamOf(stream);
  if (!s || !status)
    return s ? INVALID_VALUE : INVALID_HANDLE;
  *status = s->capture != nullptr;
  return SUCCESS;
}
CUresult cuThreadExchangeStreamCaptureMode(int *mode) { return mode ? SUCCESS : INVALID_VALUE; }

CUresult cuGraphCreate(CUgraph *graph, unsigned flags) {
  Guard hold(state().lock);
  if (!state().initialised)
    return NOT_INITIALIZED;
  if (!graph || flags)
    return INVALID_VALUE;
  *graph = new GraphObject;
  born(*graph, graphKind);
  return SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  Guard hold(state().lock);
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  destroyGraph(graph);
  return SUCCESS;
}
CUresult cuGraphAddKernelNode_v2(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                                 const KernelNodeParams *params) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!params)
    return INVALID_VALUE;
  if (!alive(params->function, functionKind))
    return INVALID_HANDLE;
  uint32_t cluster[3] = {1, 1, 1};
  if (CUresult r = validateLaunch(*params->function, *params, cluster, false))
    return r;
  NodeObject node;
  node.type = NodeType::kernel;
  node.kernel = *params;
  if (CUresult r = packArguments(*params->function, params->kernelParams, params->extra, node.arguments))
    return r;
  node.run = kernelStep(*params, node.arguments);
  return addNode(out, graph, dependencies, count, std::move(node));
}
CUresult cuGraphAddEmptyNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count) {
  Guard hold(state().lock);
  NodeObject node;
  node.run = [](StreamObject &) { return SUCCESS; };
  return addNode(out, graph, dependencies, count, std::move(node));
}
CUresult cuGraphAddHostNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                            const HostNodeParams *params) {
  Guard hold(state().lock);
  if (!params || !params->fn)
    return INVALID_VALUE;
  NodeObject node;
  node.type = NodeType::host;
  HostNodeParams p = *params;
  node.run = [p](StreamObject &) { return p.fn(p.userData), SUCCESS; };
  return addNode(out, graph, dependencies, count, std::move(node));
}
CUresult cuMemcpy3DAsync_v2(const Memcpy3D *c, CUstream s);
CUresult cuMemsetD2D8Async(CUdeviceptr a, size_t p, unsigned char v, size_t w, size_t h, CUstream s);
CUresult cuMemsetD2D16Async(CUdeviceptr a, size_t p, unsigned short v, size_t w, size_t h, CUstream s);
CUresult cuMemsetD2D32Async(CUdeviceptr a, size_t p, unsigned v, size_t w, size_t h, CUstream s);
CUresult cuGraphAddMemcpyNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                              const Memcpy3D *params, CUcontext) {
  Guard hold(state().lock);
  if (!params)
    return INVALID_VALUE;
  NodeObject node;
  node.type = NodeType::memcpy;
  Memcpy3D p = *params;
  node.run = [p](StreamObject &s) { return cuMemcpy3DAsync_v2(&p, alive(&s, streamKind) ? &s : nullptr); };
  return addNode(out, graph, dependencies, count, std::move(node));
}
CUresult cuGraphAddMemsetNode(CUgraphNode *out, CUgraph graph, const CUgraphNode *dependencies, size_t count,
                              const MemsetNodeParams *params, CUcontext) {
  Guard hold(state().lock);
  if (!params || (params->elementSize != 1 && params->elementSize != 2 && params->elementSize != 4))
    return INVALID_VALUE;
  NodeObject node;
  node.type = NodeType::memset;
  MemsetNodeParams p = *params;
  node.run = [p](StreamObject &s) {
    CUstream stream = alive(&s, streamKind) ? &s : nullptr;
    return p.elementSize == 1   ? cuMemsetD2D8Async(p.dst, p.pitch, (unsigned char)p.value, p.width, p.height, stream)
           : p.elementSize == 2 ? cuMemsetD2D16Async(p.dst, p.pitch, (unsigned short)p.value, p.width, p.height, stream)
                                : cuMemsetD2D32Async(p.dst, p.pitch, p.value, p.width, p.height, stream);
  };
  return addNode(out, graph, dependencies, count, std::move(node));
}
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
  Guard hold(state().lock);
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  if (!count)
    return INVALID_VALUE;
  if (nodes)
    for (size_t i = 0; i < *count && i < graph->nodes.size(); ++i)
      nodes[i] = &graph->nodes[i];
  *count = nodes ? std::min(*count, graph->nodes.size()) : graph->nodes.size();
  return SUCCESS;
}
CUresult cuGraphNodeGetType(CUgraphNode node, int *type) {
  Guard hold(state().lock);
  if (!alive(node, nodeKind))
    return INVALID_HANDLE;
  if (!type)
    return INVALID_VALUE;
  *type = int(node->type);
  return SUCCESS;
}
CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode node, KernelNodeParams *params) {
  Guard hold(state().lock);
  if (!alive(node, nodeKind) || node->type != NodeType::kernel)
    return INVALID_HANDLE;
  if (!params)
    return INVALID_VALUE;
  *params = node->kernel;
  return SUCCESS;
}
CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count) {
  Guard hold(state().lock);
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  for (size_t i = 0; i < count; ++i) {
    if (!from || !to || !alive(from[i], nodeKind) || !alive(to[i], nodeKind) || from[i] == to[i])
      return INVALID_VALUE;
    to[i]->dependencies.push_back(from[i]);
  }
  return SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!exec)
    return INVALID_VALUE;
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  auto order = ordered(*graph);
  if (order.empty() && !graph->nodes.empty())
    return INVALID_VALUE; // a cycle
  auto *made = new ExecObject;
  made->context = current();
  for (const NodeObject *n : order)
    made->steps.emplace_back(n, n->run);
  born(made, execKind);
  *exec = made;
  return SUCCESS;
}
CUresult cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, unsigned long long flags) {
  return cuGraphInstantiateWithFlags(exec, graph, flags);
}
CUresult cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *, char *, size_t) {
  return cuGraphInstantiateWithFlags(exec, graph, 0);
}
CUresult cuGraphExecDestroy(CUgraphExec exec) {
  Guard hold(state().lock);
  if (!alive(exec, execKind))
    return INVALID_HANDLE;
  died(exec);
  delete exec;
  return SUCCESS;
}
CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node, const KernelNodeParams *params) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(exec, execKind))
    return INVALID_HANDLE;
  if (!params || !alive(params->function, functionKind))
    return INVALID_VALUE;
  for (auto &[which, step] : exec->steps)
    if (which == node) {
      std::vector<uint8_t> arguments;
      if (CUresult r = packArguments(*params->function, params->kernelParams, params->extra, arguments))
        return r;
      step = kernelStep(*params, std::move(arguments));
      return SUCCESS;
    }
  return INVALID_VALUE;
}
CUresult cuGraphUpload(CUgraphExec exec, CUstream) {
  Guard hold(state().lock);
  return alive(exec, execKind) ? ready() : INVALID_HANDLE;
}
CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(exec, execKind))
    return INVALID_HANDLE;
  StreamObject *s = streamOf(stream);
  if (!s)
    return INVALID_HANDLE;
  if (s->capture)
    return STREAM_CAPTURE_UNSUPPORTED;
  for (auto &[node, step] : exec->steps)
    if (CUresult r = step(*s))
      return r;
  return SUCCESS;
}
}
#pragma GCC visibility pop
