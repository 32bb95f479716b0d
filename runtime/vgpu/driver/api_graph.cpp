// Entry points: graphs as a whole: nodes, edges, copies, the objects they keep.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>
#include <fstream>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
CUresult graphThere(CUgraph graph) {
  if (CUresult r = started())
    return r;
  return alive(graph, graphKind) ? SUCCESS : INVALID_HANDLE;
}
CUresult nodeThere(CUgraphNode node) {
  if (CUresult r = started())
    return r;
  return alive(node, nodeKind) ? SUCCESS : INVALID_HANDLE;
}

// As these queries have it: the number, and with a place for them as many nodes as it holds, the rest filled with null.
CUresult give(const std::vector<NodeObject *> &nodes, CUgraphNode *into, size_t *count) {
  if (!count)
    return INVALID_VALUE;
  if (into)
    for (size_t i = 0; i < *count; ++i)
      into[i] = i < nodes.size() ? nodes[i] : nullptr;
  *count = into ? std::min(*count, nodes.size()) : nodes.size();
  return SUCCESS;
}
void clear(EdgeData *edges, const size_t *count) {
  if (edges && count)
    std::fill_n(edges, *count, EdgeData{});
}

std::vector<NodeObject *> dependentsOf(const NodeObject &node) {
  std::vector<NodeObject *> found;
  for (auto &n : node.graph->nodes)
    if (std::find(n->dependencies.begin(), n->dependencies.end(), &node) != n->dependencies.end())
      found.push_back(n.get());
  return found;
}

CUresult checkEdges(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count) {
  if (CUresult r = graphThere(graph))
    return r;
  if (count && (!from || !to))
    return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i)
    if (!alive(from[i], nodeKind) || !alive(to[i], nodeKind) || from[i] == to[i] || from[i]->graph != graph ||
        to[i]->graph != graph)
      return INVALID_VALUE;
  return SUCCESS;
}
bool depends(const NodeObject &to, const NodeObject *from) {
  return std::find(to.dependencies.begin(), to.dependencies.end(), from) != to.dependencies.end();
}
CUresult userThere(CUuserObject object, unsigned count) {
  if (CUresult r = started())
    return r;
  if (!alive(object, userKind))
    return INVALID_HANDLE;
  return count ? SUCCESS : INVALID_VALUE;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuGraphCreate(CUgraph *graph, unsigned flags) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!graph || flags)
    return INVALID_VALUE;
  *graph = newGraph();
  return SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  if (graph->embedded)
    return INVALID_VALUE; // it is its node's
  for (StreamObject *s : allOf<StreamObject>(streamKind))
    if (s->capture && s->capture->graph == graph)
      return INVALID_VALUE; // still being recorded
  destroyGraph(graph);
  return SUCCESS;
}
CUresult cuGraphClone(CUgraph *copy, CUgraph graph) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  if (!copy)
    return INVALID_VALUE;
  for (auto &node : graph->nodes)
    if (std::holds_alternative<AllocWork>(node->work) || std::holds_alternative<FreeWork>(node->work))
      return NOT_SUPPORTED;
  *copy = cloneGraph(*graph);
  return SUCCESS;
}
CUresult cuGraphNodeFindInClone(CUgraphNode *found, CUgraphNode original, CUgraph clone) {
  Guard hold;
  if (CUresult r = graphThere(clone))
    return r;
  if (CUresult r = nodeThere(original))
    return r;
  if (!found)
    return INVALID_VALUE;
  for (auto &node : clone->nodes)
    if (node->clonedFrom == original->id) {
      *found = node.get();
      return SUCCESS;
    }
  return INVALID_VALUE;
}
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  std::vector<NodeObject *> all;
  for (auto &node : graph->nodes)
    all.push_back(node.get());
  return give(all, nodes, count);
}
CUresult cuGraphGetRootNodes(CUgraph graph, CUgraphNode *nodes, size_t *count) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  std::vector<NodeObject *> roots;
  for (auto &node : graph->nodes)
    if (node->dependencies.empty())
      roots.push_back(node.get());
  return give(roots, nodes, count);
}
CUresult cuGraphGetEdges(CUgraph graph, CUgraphNode *from, CUgraphNode *to, size_t *count) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  if (!count || !from != !to)
    return INVALID_VALUE;
  std::vector<NodeObject *> begins, ends;
  for (auto &node : graph->nodes)
    for (NodeObject *d : node->dependencies) {
      begins.push_back(d);
      ends.push_back(node.get());
    }
  size_t same = *count;
  if (CUresult r = give(begins, from, &same))
    return r;
  return give(ends, to, count);
}
CUresult cuGraphGetEdges_v2(CUgraph graph, CUgraphNode *from, CUgraphNode *to, EdgeData *edges, size_t *count) {
  Guard hold;
  clear(from ? edges : nullptr, count);
  return cuGraphGetEdges(graph, from, to, count);
}
CUresult cuGraphNodeGetType(CUgraphNode node, int *type) {
  Guard hold;
  if (CUresult r = nodeThere(node))
    return r;
  if (!type)
    return INVALID_VALUE;
  *type = nodeTypeOf(node->work);
  return SUCCESS;
}
CUresult cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode *nodes, size_t *count) {
  Guard hold;
  if (CUresult r = nodeThere(node))
    return r;
  return give(node->dependencies, nodes, count);
}
CUresult cuGraphNodeGetDependencies_v2(CUgraphNode node, CUgraphNode *nodes, EdgeData *edges, size_t *count) {
  Guard hold;
  clear(nodes ? edges : nullptr, count);
  return cuGraphNodeGetDependencies(node, nodes, count);
}
CUresult cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode *nodes, size_t *count) {
  Guard hold;
  if (CUresult r = nodeThere(node))
    return r;
  return give(dependentsOf(*node), nodes, count);
}
CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode node, CUgraphNode *nodes, EdgeData *edges, size_t *count) {
  Guard hold;
  clear(nodes ? edges : nullptr, count);
  return cuGraphNodeGetDependentNodes(node, nodes, count);
}
CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count) {
  Guard hold;
  if (CUresult r = checkEdges(graph, from, to, count))
    return r;
  for (size_t i = 0; i < count; ++i)
    if (depends(*to[i], from[i]))
      return INVALID_VALUE; // there already
  for (size_t i = 0; i < count; ++i)
    to[i]->dependencies.push_back(from[i]);
  return SUCCESS;
}
CUresult cuGraphAddDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, const EdgeData *,
                                   size_t count) {
  return cuGraphAddDependencies(graph, from, to, count);
}
CUresult cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, size_t count) {
  Guard hold;
  if (CUresult r = checkEdges(graph, from, to, count))
    return r;
  for (size_t i = 0; i < count; ++i)
    if (!depends(*to[i], from[i]))
      return INVALID_VALUE;
  for (size_t i = 0; i < count; ++i)
    std::erase(to[i]->dependencies, from[i]);
  return SUCCESS;
}
CUresult cuGraphRemoveDependencies_v2(CUgraph graph, const CUgraphNode *from, const CUgraphNode *to, const EdgeData *,
                                      size_t count) {
  return cuGraphRemoveDependencies(graph, from, to, count);
}
CUresult cuGraphDestroyNode(CUgraphNode node) {
  Guard hold;
  if (CUresult r = nodeThere(node))
    return r;
  if (std::holds_alternative<AllocWork>(node->work) || std::holds_alternative<FreeWork>(node->work))
    return NOT_SUPPORTED;
  for (auto &other : node->graph->nodes)
    std::erase(other->dependencies, node);
  for (StreamObject *s : allOf<StreamObject>(streamKind)) {
    std::erase(s->captureLast, node);
    if (s->capture)
      s->capture->made.erase(node);
  }
  died(node);
  std::erase_if(node->graph->nodes, [&](const auto &n) { return n.get() == node; });
  return SUCCESS;
}

// A DOT file with the types of the nodes.
CUresult cuGraphDebugDotPrint(CUgraph graph, const char *path, unsigned) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  if (!path)
    return INVALID_VALUE;
  constexpr const char *types[] = {"kernel", "memcpy", "memset",           "host",   "child",
                                   "empty",  "wait",   "record",           "signal", "await",
                                   "alloc",  "free",   "memory operations"};
  std::ofstream file(path);
  file << "digraph graph_" << graph->id << " {\n";
  for (auto &node : graph->nodes) {
    auto *kernel = std::get_if<KernelWork>(&node->work);
    const bool named = kernel && alive(kernel->shape.function, functionKind);
    file << "  n" << node->id << " [label=\"" << types[nodeTypeOf(node->work)]
         << (named ? " " + kernel->shape.function->program->name : "") << "\"];\n";
    for (NodeObject *d : node->dependencies)
      file << "  n" << d->id << " -> n" << node->id << ";\n";
  }
  file << "}\n";
  return file.flush() ? SUCCESS : OPERATING_SYSTEM;
}

CUresult cuUserObjectCreate(CUuserObject *object, void *data, CUhostFn destroy, unsigned count, unsigned flags) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!object || !destroy || !count || flags != 1) // 1: the destructor is not waited for
    return INVALID_VALUE;
  auto *made = new UserObject;
  made->data = data;
  made->destroy = destroy;
  made->references = count;
  born(made, userKind);
  *object = made;
  return SUCCESS;
}
CUresult cuUserObjectRetain(CUuserObject object, unsigned count) {
  Guard hold;
  if (CUresult r = userThere(object, count))
    return r;
  keep(*object, count);
  return SUCCESS;
}
CUresult cuUserObjectRelease(CUuserObject object, unsigned count) {
  Guard hold;
  if (CUresult r = userThere(object, count))
    return r;
  release(*object, count);
  return SUCCESS;
}
CUresult cuGraphRetainUserObject(CUgraph graph, CUuserObject object, unsigned count, unsigned flags) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  if (CUresult r = userThere(object, count))
    return r;
  if (flags > 1)
    return INVALID_VALUE;
  if (flags == 0) // 1: the caller's own references go over to the graph
    keep(*object, count);
  graph->kept[object] += count;
  return SUCCESS;
}
CUresult cuGraphReleaseUserObject(CUgraph graph, CUuserObject object, unsigned count) {
  Guard hold;
  if (CUresult r = graphThere(graph))
    return r;
  if (CUresult r = userThere(object, count))
    return r;
  auto kept = graph->kept.find(object);
  if (kept == graph->kept.end() || kept->second < count)
    return INVALID_VALUE;
  if ((kept->second -= count) == 0)
    graph->kept.erase(kept);
  release(*object, count);
  return SUCCESS;
}
}
#pragma GCC visibility pop
