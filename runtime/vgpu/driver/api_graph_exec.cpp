// Entry points: graphs made executable, updated and launched.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
using Steps = std::vector<ExecObject::Step>;
enum Update { updated, failed, topologyChanged, typeChanged, functionChanged, parametersChanged, notSupported };

// False where the graph has a cycle.
bool flatten(const GraphObject &graph, size_t inside, Steps &steps) {
  std::vector<NodeObject *> order = ordered(graph);
  std::map<const NodeObject *, size_t> at;
  for (NodeObject *node : order) {
    ExecObject::Step step{node->id, node->work, {}, true, inside};
    for (NodeObject *d : node->dependencies)
      step.after.push_back(at.at(d) - (inside == SIZE_MAX ? 0 : inside)); // so that two like graphs compare equal
    at[node] = steps.size();
    steps.push_back(std::move(step));
    if (auto *child = std::get_if<ChildWork>(&node->work))
      if (!flatten(*child->graph, steps.size() - 1, steps))
        return false;
  }
  return order.size() == graph.nodes.size();
}

CUresult instantiate(CUgraphExec *exec, CUgraph graph, uint64_t flags) {
  if (CUresult r = ready())
    return r;
  if (!alive(graph, graphKind))
    return INVALID_HANDLE;
  if (!exec || flags & ~15ull)
    return INVALID_VALUE;
  if (flags & 4)
    return NOT_SUPPORTED; // launches from kernels
  auto made = std::make_unique<ExecObject>();
  made->context = current();
  made->flags = flags;
  if (!flatten(*graph, SIZE_MAX, made->steps))
    return INVALID_VALUE;
  for (const ExecObject::Step &step : made->steps)
    if (CUresult r = validate(step.work))
      return r;
  made->kept = graph->kept;
  for (auto &[object, count] : made->kept)
    keep(*object, count);
  born(made.get(), execKind);
  *exec = made.release();
  return SUCCESS;
}

// Whether `to` can take the place of `from` in an executable graph, and what is in the way.
Update fits(const Work &from, const Work &to) {
  if (from.index() != to.index())
    return typeChanged;
  if (auto *a = std::get_if<KernelWork>(&from)) {
    const auto &b = std::get<KernelWork>(to);
    if (a->shape.function->module->context != b.shape.function->module->context)
      return functionChanged;
    return a->cooperative == b.cooperative ? updated : parametersChanged;
  }
  if (auto *a = std::get_if<CopyWork>(&from)) {
    const auto &b = std::get<CopyWork>(to);
    return a->box.srcType == b.box.srcType && a->box.dstType == b.box.dstType ? updated : parametersChanged;
  }
  return std::holds_alternative<AllocWork>(from) || std::holds_alternative<FreeWork>(from) ? notSupported : updated;
}

NodeObject *nodeWith(uint64_t id) {
  for (NodeObject *node : allOf<NodeObject>(nodeKind))
    if (node->id == id)
      return node;
  return nullptr;
}

CUresult update(CUgraphExec exec, CUgraph graph, UpdateResult &result) {
  result = {failed, nullptr, nullptr};
  if (CUresult r = ready())
    return r;
  if (!alive(exec, execKind) || !alive(graph, graphKind))
    return INVALID_HANDLE;
  Steps steps;
  const bool whole = flatten(*graph, SIZE_MAX, steps);
  if (!whole || steps.size() != exec->steps.size()) {
    result.result = topologyChanged;
    return GRAPH_EXEC_UPDATE_FAILURE;
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    const ExecObject::Step &from = exec->steps[i];
    Update outcome = from.after != steps[i].after || from.inside != steps[i].inside ? topologyChanged
                                                                                    : fits(from.work, steps[i].work);
    if (outcome != updated) {
      result = {outcome, nodeWith(steps[i].id), nodeWith(from.id)};
      return GRAPH_EXEC_UPDATE_FAILURE;
    }
    if (CUresult r = validate(steps[i].work))
      return r;
  }
  for (size_t i = 0; i < steps.size(); ++i)
    exec->steps[i].work = std::move(steps[i].work);
  result.result = updated;
  return SUCCESS;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags) {
  Guard hold;
  return instantiate(exec, graph, flags);
}
// Before CUDA 11.4 and 12: the node in error and a log, which are left alone.
CUresult cuGraphInstantiate(CUgraphExec *exec, CUgraph graph, CUgraphNode *, char *, size_t) {
  Guard hold;
  return instantiate(exec, graph, 0);
}
CUresult cuGraphInstantiate_v2(CUgraphExec *exec, CUgraph graph, CUgraphNode *, char *, size_t) {
  Guard hold;
  return instantiate(exec, graph, 0);
}
CUresult cuGraphInstantiateWithParams(CUgraphExec *exec, CUgraph graph, InstantiateParams *params) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!params)
    return INVALID_VALUE;
  params->errorNode = nullptr;
  CUresult r = instantiate(exec, graph, params->flags);
  params->result = r == SUCCESS ? 0 : 1;
  return r;
}
CUresult cuGraphExecGetFlags(CUgraphExec exec, uint64_t *flags) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(exec, execKind))
    return INVALID_HANDLE;
  if (!flags)
    return INVALID_VALUE;
  *flags = exec->flags;
  return SUCCESS;
}
CUresult cuGraphExecDestroy(CUgraphExec exec) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(exec, execKind))
    return INVALID_HANDLE;
  auto kept = std::move(exec->kept);
  died(exec);
  delete exec;
  for (auto &[object, count] : kept)
    release(*object, count);
  return SUCCESS;
}
CUresult cuGraphExecUpdate_v2(CUgraphExec exec, CUgraph graph, UpdateResult *result) {
  Guard hold;
  UpdateResult own{};
  if (CUresult r = started())
    return r;
  if (!result)
    return INVALID_VALUE;
  CUresult r = update(exec, graph, own);
  *result = own;
  return r;
}
CUresult cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode *node, int *result) {
  Guard hold;
  UpdateResult own{};
  if (CUresult r = started())
    return r;
  if (!node || !result)
    return INVALID_VALUE;
  CUresult r = update(exec, graph, own);
  *result = own.result;
  *node = own.errorNode;
  return r;
}
CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraph graph) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(exec, execKind) || !alive(node, nodeKind) || !alive(graph, graphKind))
    return INVALID_HANDLE;
  auto at = std::find_if(exec->steps.begin(), exec->steps.end(), [&](const auto &s) { return s.id == node->id; });
  if (at == exec->steps.end() || !std::holds_alternative<ChildWork>(at->work))
    return INVALID_VALUE;
  const auto inside = size_t(at - exec->steps.begin());
  Steps steps(inside + 1); // so that the indices are those of the executable graph
  if (!flatten(*graph, inside, steps))
    return INVALID_VALUE;
  const size_t first = inside + 1;
  size_t end = first;
  auto within = [&](size_t i) {
    for (size_t up = exec->steps[i].inside; up != SIZE_MAX; up = exec->steps[up].inside)
      if (up == inside)
        return true;
    return false;
  };
  while (end < exec->steps.size() && within(end))
    ++end;
  if (steps.size() != end)
    return INVALID_VALUE;
  for (size_t i = first; i < end; ++i)
    if (steps[i].after != exec->steps[i].after || fits(exec->steps[i].work, steps[i].work) != updated)
      return INVALID_VALUE;
  for (size_t i = first; i < end; ++i)
    exec->steps[i].work = std::move(steps[i].work);
  return SUCCESS;
}
CUresult cuGraphUpload(CUgraphExec exec, CUstream stream) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  return alive(exec, execKind) && streamOf(stream) ? SUCCESS : INVALID_HANDLE;
}
CUresult cuGraphLaunch(CUgraphExec exec, CUstream handle) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  StreamObject *stream = streamOf(handle);
  if (!alive(exec, execKind) || !stream)
    return INVALID_HANDLE;
  if (stream->capture) {
    spoil(*stream);
    return STREAM_CAPTURE_UNSUPPORTED;
  }
  if (CUresult r = enter(*stream))
    return r;
  // Between two steps a host function may have run, and the program meanwhile destroyed either of them.
  const uint64_t id = stream->id;
  for (size_t i = 0; alive(exec, execKind) && i < exec->steps.size(); ++i) {
    if (!exec->steps[i].enabled)
      continue;
    const bool there = stream->legacy ? alive(current(), contextKind) : alive(stream, streamKind) && stream->id == id;
    if (!there)
      return INVALID_HANDLE;
    if (CUresult r = perform(exec->steps[i].work, *stream))
      return r;
  }
  return SUCCESS;
}
}
#pragma GCC visibility pop
