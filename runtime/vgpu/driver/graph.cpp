// Graphs: nodes, copies, orders, captures.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>

namespace tessera::vgpu::driver {

int &captureMode() {
  thread_local int mode = 0;
  return mode;
}

CUresult forbiddenByCapture() {
  if (captureMode() == 2)
    return SUCCESS;
  for (StreamObject *s : allOf<StreamObject>(streamKind)) {
    if (!s->capture || s->capture->spoiled || s->capture->mode == 2)
      continue;
    const bool own = s->capture->thread == std::this_thread::get_id();
    if (own || (captureMode() == 0 && s->capture->mode == 0)) {
      spoil(*s);
      return STREAM_CAPTURE_UNSUPPORTED;
    }
  }
  return SUCCESS;
}

void spoil(StreamObject &stream) {
  if (stream.capture)
    stream.capture->spoiled = true;
}

// The graph of a capture that nobody will end goes with its first stream.
void abandonCapture(StreamObject &stream) {
  std::shared_ptr<Capture> capture = stream.capture;
  if (!capture)
    return;
  stream.capture.reset();
  if (capture->origin != &stream) {
    capture->spoiled = true;
    return;
  }
  for (StreamObject *s : allOf<StreamObject>(streamKind))
    if (s->capture == capture) {
      s->capture.reset();
      s->captureLast.clear();
    }
  if (capture->ownsGraph && alive(capture->graph, graphKind))
    destroyGraph(capture->graph);
  capture->graph = nullptr;
}

GraphObject *newGraph() {
  auto *graph = new GraphObject;
  graph->id = state().nextId++;
  born(graph, graphKind);
  return graph;
}

void destroyGraph(GraphObject *graph) {
  for (auto &node : graph->nodes)
    died(node.get());
  for (auto &[object, count] : graph->kept)
    release(*object, count);
  died(graph);
  delete graph;
}

NodeObject *addNode(GraphObject &graph, Work work, const CUgraphNode *dependencies, size_t count) {
  NodeObject *node = graph.nodes.emplace_back(std::make_unique<NodeObject>()).get();
  node->work = std::move(work);
  node->graph = &graph;
  node->id = state().nextId++;
  node->dependencies.assign(dependencies, dependencies + count);
  born(node, nodeKind);
  return node;
}

GraphObject *cloneGraph(const GraphObject &graph) {
  GraphObject *copy = newGraph();
  copy->clonedFrom = graph.id;
  std::map<const NodeObject *, NodeObject *> of;
  for (const auto &node : graph.nodes) {
    Work work = node->work;
    if (auto *child = std::get_if<ChildWork>(&work)) {
      GraphObject *inner = cloneGraph(*child->graph);
      inner->embedded = true;
      child->graph = std::shared_ptr<GraphObject>(inner, destroyGraph);
    }
    NodeObject *made = addNode(*copy, std::move(work), nullptr, 0);
    made->clonedFrom = node->id;
    of[node.get()] = made;
  }
  for (const auto &node : graph.nodes)
    for (const NodeObject *d : node->dependencies)
      of[node.get()]->dependencies.push_back(of[d]);
  for (auto &[object, count] : graph.kept) {
    keep(*object, count);
    copy->kept[object] += count;
  }
  return copy;
}

std::vector<NodeObject *> ordered(const GraphObject &graph) {
  // Those whose dependencies are done, the oldest first.
  std::map<const NodeObject *, size_t> position, missing;
  std::vector<std::vector<size_t>> after(graph.nodes.size());
  std::set<size_t> open;
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    position[graph.nodes[i].get()] = i;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const NodeObject *node = graph.nodes[i].get();
    missing[node] = node->dependencies.size();
    for (const NodeObject *d : node->dependencies)
      after[position.at(d)].push_back(i);
    if (node->dependencies.empty())
      open.insert(i);
  }
  std::vector<NodeObject *> order;
  while (!open.empty()) {
    const size_t i = *open.begin();
    open.erase(open.begin());
    order.push_back(graph.nodes[i].get());
    for (size_t next : after[i])
      if (--missing[graph.nodes[next].get()] == 0)
        open.insert(next);
  }
  return order;
}

void keep(UserObject &object, unsigned count) { object.references += count; }

void release(UserObject &object, unsigned count) {
  object.references -= std::min<uint64_t>(object.references, count);
  if (object.references)
    return;
  const CUhostFn destroy = object.destroy;
  void *data = object.data;
  died(&object);
  delete &object;
  Unlocked others;
  destroy(data);
}

} // namespace tessera::vgpu::driver
