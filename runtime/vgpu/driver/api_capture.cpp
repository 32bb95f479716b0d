// Entry points: what a stream is given becomes a graph.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
CUresult begin(CUstream handle, CUgraph into, const CUgraphNode *dependencies, size_t count, int mode) {
  if (CUresult r = ready())
    return r;
  StreamObject *stream = streamOf(handle);
  if (!stream)
    return INVALID_HANDLE;
  if (mode < 0 || mode > 2 || (count && !dependencies))
    return INVALID_VALUE;
  if (stream->legacy)
    return STREAM_CAPTURE_UNSUPPORTED;
  if (stream->capture)
    return ILLEGAL_STATE;
  for (size_t i = 0; i < count; ++i)
    if (!alive(dependencies[i], nodeKind) || dependencies[i]->graph != into)
      return INVALID_VALUE;
  auto capture = std::make_shared<Capture>();
  capture->graph = into ? into : newGraph();
  capture->ownsGraph = !into;
  capture->origin = stream;
  capture->mode = mode;
  capture->thread = std::this_thread::get_id();
  capture->id = state().nextId++;
  stream->capture = capture;
  stream->captureLast.assign(dependencies, dependencies + count);
  return SUCCESS;
}

// Everything that the first stream waits for at the end.
void reach(NodeObject *node, std::set<NodeObject *> &reached) {
  std::vector<NodeObject *> open{node};
  while (!open.empty()) {
    NodeObject *next = open.back();
    open.pop_back();
    if (reached.insert(next).second)
      open.insert(open.end(), next->dependencies.begin(), next->dependencies.end());
  }
}

CUresult info(CUstream handle, int *status, uint64_t *id, CUgraph *graph, const CUgraphNode **dependencies,
              const EdgeData **edges, size_t *count) {
  if (CUresult r = ready())
    return r;
  StreamObject *stream = streamOf(handle);
  if (!stream)
    return INVALID_HANDLE;
  if (!status)
    return INVALID_VALUE;
  if (stream->legacy)
    for (StreamObject *s : allOf<StreamObject>(streamKind))
      if (s->context == stream->context && s->capture && !(s->flags & 1))
        return STREAM_CAPTURE_IMPLICIT;
  const Capture *capture = stream->capture.get();
  *status = !capture ? 0 : capture->spoiled ? 2 : 1;
  if (*status != 1)
    return SUCCESS;
  if (id)
    *id = capture->id;
  if (graph)
    *graph = capture->graph;
  if (dependencies)
    *dependencies = stream->captureLast.data();
  if (edges)
    *edges = nullptr;
  if (count)
    *count = stream->captureLast.size();
  return SUCCESS;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuStreamBeginCapture_v2(CUstream stream, int mode) {
  Guard hold;
  return begin(stream, nullptr, nullptr, 0, mode);
}
CUresult cuStreamBeginCapture(CUstream stream) { return cuStreamBeginCapture_v2(stream, 0); }
CUresult cuStreamBeginCaptureToGraph(CUstream stream, CUgraph graph, const CUgraphNode *dependencies, const EdgeData *,
                                     size_t count, int mode) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return alive(graph, graphKind) ? begin(stream, graph, dependencies, count, mode) : INVALID_HANDLE;
}
CUresult cuStreamEndCapture(CUstream handle, CUgraph *graph) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  StreamObject *stream = streamOf(handle);
  if (!stream)
    return INVALID_HANDLE;
  if (!graph)
    return INVALID_VALUE;
  *graph = nullptr;
  std::shared_ptr<Capture> capture = stream->capture;
  if (!capture)
    return ILLEGAL_STATE;
  if (capture->origin != stream)
    return STREAM_CAPTURE_UNMATCHED;
  if (capture->mode != 2 && capture->thread != std::this_thread::get_id())
    return STREAM_CAPTURE_WRONG_THREAD;
  CUresult result = capture->spoiled ? STREAM_CAPTURE_INVALIDATED : SUCCESS;
  std::set<NodeObject *> reached;
  for (CUgraphNode node : stream->captureLast)
    reach(node, reached);
  for (NodeObject *node : capture->made)
    if (!result && alive(node, nodeKind) && !reached.count(node))
      result = STREAM_CAPTURE_UNJOINED;
  for (StreamObject *s : allOf<StreamObject>(streamKind))
    if (s->capture == capture) {
      s->capture.reset();
      s->captureLast.clear();
    }
  GraphObject *made = std::exchange(capture->graph, nullptr);
  if (result == SUCCESS)
    *graph = made;
  else if (capture->ownsGraph)
    destroyGraph(made);
  return result;
}
CUresult cuStreamIsCapturing(CUstream stream, int *status) {
  Guard hold;
  return info(stream, status, nullptr, nullptr, nullptr, nullptr, nullptr);
}
CUresult cuStreamGetCaptureInfo(CUstream stream, int *status, uint64_t *id) {
  Guard hold;
  return info(stream, status, id, nullptr, nullptr, nullptr, nullptr);
}
CUresult cuStreamGetCaptureInfo_v2(CUstream stream, int *status, uint64_t *id, CUgraph *graph,
                                   const CUgraphNode **dependencies, size_t *count) {
  Guard hold;
  return info(stream, status, id, graph, dependencies, nullptr, count);
}
CUresult cuStreamGetCaptureInfo_v3(CUstream stream, int *status, uint64_t *id, CUgraph *graph,
                                   const CUgraphNode **dependencies, const EdgeData **edges, size_t *count) {
  Guard hold;
  return info(stream, status, id, graph, dependencies, edges, count);
}
CUresult cuStreamUpdateCaptureDependencies(CUstream handle, const CUgraphNode *nodes, size_t count, unsigned flags) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  StreamObject *stream = streamOf(handle);
  if (!stream)
    return INVALID_HANDLE;
  if (!stream->capture)
    return ILLEGAL_STATE;
  if (flags > 1 || (count && !nodes)) // 0 adds, 1 replaces
    return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i)
    if (!alive(nodes[i], nodeKind) || nodes[i]->graph != stream->capture->graph)
      return INVALID_VALUE;
  if (flags == 1)
    stream->captureLast.clear();
  stream->captureLast.insert(stream->captureLast.end(), nodes, nodes + count);
  return SUCCESS;
}
CUresult cuStreamUpdateCaptureDependencies_v2(CUstream handle, const CUgraphNode *nodes, const EdgeData *, size_t count,
                                              unsigned flags) {
  return cuStreamUpdateCaptureDependencies(handle, nodes, count, flags);
}
CUresult cuThreadExchangeStreamCaptureMode(int *mode) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!mode || *mode < 0 || *mode > 2)
    return INVALID_VALUE;
  std::swap(*mode, captureMode());
  return SUCCESS;
}
}
#pragma GCC visibility pop
