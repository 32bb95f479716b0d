#include "runtime/vgpu/exec/flow.h"

namespace tessera::vgpu {

std::vector<uint32_t> Flow::targets(const ptx::Instruction &i) const {
  std::vector<uint32_t> list;
  if (i.opcode == "bra")
    list.push_back(uint32_t(i.operands[0].variable));
  if (i.opcode == "brx.idx") {
    auto found = f.branchTargets.find(i.operands[1].name);
    if (found != f.branchTargets.end())
      for (const std::string &name : found->second)
        if (auto label = f.labels.find(name); label != f.labels.end())
          list.push_back(label->second);
  }
  return list;
}

Flow::Flow(const ptx::Function &function) : f(function) {
  size_t n = f.body.size();
  std::vector<bool> leader(n + 1);
  leader[0] = true;
  for (size_t i = 0; i < n; ++i) {
    auto to = targets(f.body[i]);
    for (uint32_t t : to)
      leader[t] = true;
    if (!to.empty() || ends(f.body[i]))
      leader[i + 1] = true;
  }
  blockOf.resize(n + 1);
  for (size_t i = 0; i < n; ++i) {
    if (leader[i])
      leaders.push_back(uint32_t(i));
    blockOf[i] = uint32_t(leaders.size() - 1);
  }
  auto exit = uint32_t(leaders.size());
  blockOf[n] = exit;
  next.resize(exit);
  for (uint32_t b = 0; b < exit; ++b) {
    uint32_t last = (b + 1 < exit ? leaders[b + 1] : uint32_t(n)) - 1;
    const ptx::Instruction &i = f.body[last];
    for (uint32_t t : targets(i))
      next[b].push_back(blockOf[t]);
    if (ends(i))
      next[b].push_back(exit);
    bool falls = i.guard >= 0 || (!ends(i) && i.opcode != "bra" && i.opcode != "brx.idx");
    if (falls)
      next[b].push_back(blockOf[last + 1]);
  }
  postDominators(exit);
}

// Cooper, Harvey, Kennedy: "A Simple, Fast Dominance Algorithm".
void Flow::postDominators(uint32_t exit) {
  std::vector<std::vector<uint32_t>> before(exit + 1); // predecessors, i.e. successors in the reversed graph
  for (uint32_t b = 0; b < exit; ++b)
    for (uint32_t t : next[b])
      before[t].push_back(b);
  std::vector<uint32_t> order, number(exit + 1, nowhere); // postorder of the reversed graph from the exit
  std::vector<std::pair<uint32_t, size_t>> stack{{exit, 0}};
  std::vector<bool> seen(exit + 1);
  seen[exit] = true;
  while (!stack.empty()) {
    auto &[b, at] = stack.back();
    if (at < before[b].size()) {
      uint32_t p = before[b][at++];
      if (!seen[p]) {
        seen[p] = true;
        stack.emplace_back(p, 0);
      }
    } else {
      number[b] = uint32_t(order.size());
      order.push_back(b);
      stack.pop_back();
    }
  }
  ipdom.assign(exit + 1, nowhere);
  ipdom[exit] = exit;
  auto meet = [&](uint32_t a, uint32_t b) {
    while (a != b) {
      while (number[a] < number[b])
        a = ipdom[a];
      while (number[b] < number[a])
        b = ipdom[b];
    }
    return a;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t k = order.size(); k-- > 0;) {
      uint32_t b = order[k];
      if (b == exit)
        continue;
      uint32_t best = nowhere;
      for (uint32_t t : next[b])
        if (number[t] != nowhere && ipdom[t] != nowhere)
          best = best == nowhere ? t : meet(best, t);
      if (best != ipdom[b])
        ipdom[b] = best, changed = true;
    }
  }
}

} // namespace tessera::vgpu
