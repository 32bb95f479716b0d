// How lanes of a warp part at a branch and meet again at its immediate post-dominator, and how collectives gather them.
#include "runtime/vgpu/exec/block.h"
#include "runtime/vgpu/exec/warp.h"

namespace tessera::vgpu {

void Warp::branch(uint32_t target, uint32_t taken, uint32_t reconverge) {
  uint32_t rest = active & ~taken;
  if (taken == 0)
    return;
  if (rest == 0) {
    pc = target;
    return;
  }
  Fragment &mine = fragments[current];
  int32_t join = mine.join;
  bool same = join >= 0 && joins[size_t(join)].pc == reconverge && joins[size_t(join)].depth == mine.calls.size();
  if (reconverge != nowhere && !same) {
    size_t slot = 0;
    while (slot < joins.size() && joins[slot].used)
      ++slot;
    if (slot == joins.size())
      joins.emplace_back();
    joins[slot] = {reconverge, active, 0, join, mine.calls.size(), true};
    join = int32_t(slot);
  }
  Fragment other = mine;
  other.mask = taken;
  other.pc = target;
  other.join = join;
  other.state = Fragment::State::ready;
  active = rest;
  mine.mask = rest;
  mine.join = join;
  fragments.push_back(std::move(other)); // invalidates `mine`
}

// The lanes that wait at a join go on together, as a fragment of its parent.
void Warp::release(int32_t index) {
  Join join = joins[size_t(index)];
  joins[size_t(index)].used = false;
  if (join.expected == 0)
    return;
  Fragment together;
  together.mask = join.expected;
  together.pc = join.pc;
  together.join = join.parent;
  fragments.push_back(std::move(together));
}

void Warp::arriveAtJoin() {
  Fragment &mine = fragments[current];
  if (mine.join < 0)
    return;
  Join &join = joins[size_t(mine.join)];
  if (join.pc != pc - 1 || join.depth != mine.calls.size())
    return;
  join.waiting |= active;
  if (join.waiting == join.expected) {
    // The last to arrive carries the others on; the join op runs again for the parent, which may meet here too.
    join.used = false;
    active = mine.mask = join.expected;
    mine.join = join.parent;
    --pc;
    return;
  }
  fragments.erase(fragments.begin() + ptrdiff_t(current));
  current = ~size_t(0);
  stop = true;
}

void Warp::exitLanes(uint32_t which) {
  exited |= which;
  uint32_t rest = active & ~which;
  int32_t join = fragments[current].join;
  const Fragment leaving = fragments[current];
  if (rest == 0) {
    fragments.erase(fragments.begin() + ptrdiff_t(current));
    current = ~size_t(0);
    stop = true;
  } else {
    active = fragments[current].mask = rest;
  }
  while (join >= 0) {
    Join &at = joins[size_t(join)];
    int32_t parent = at.parent;
    at.expected &= ~which;
    if (at.waiting == at.expected) {
      release(join);
      if (at.expected && !fragments.empty()) { // they go on where the join's function was called
        Fragment &onward = fragments.back();
        size_t depth = std::min(at.depth, leaving.calls.size());
        onward.calls.assign(leaving.calls.begin(), leaving.calls.begin() + ptrdiff_t(depth));
        bool inner = leaving.calls.size() > depth;
        onward.frame = inner ? leaving.calls[depth].frame : leaving.frame;
        onward.top = inner ? leaving.calls[depth].top : leaving.top;
      }
    }
    join = parent;
  }
  // Who waits for the lanes of its warp does so for the live ones: look again.
  for (Fragment &f : fragments)
    if (f.state == Fragment::State::converge)
      f.state = Fragment::State::ready;
  block->lanesExited(*this, which);
}

void Warp::park(Fragment::State state) {
  uint32_t rest = active & ~mask;
  if (rest) {
    Fragment onward = fragments[current];
    onward.mask = rest;
    onward.pc = pc;
    onward.state = Fragment::State::ready;
    fragments.push_back(std::move(onward));
  }
  Fragment &mine = fragments[current];
  active = mine.mask = mask;
  mine.state = state;
  mine.pc = --pc;
  stop = true;
}

bool Warp::converge(uint32_t members) {
  uint32_t wanted = members & alive();
  if ((mask & wanted) == wanted)
    return true;
  uint32_t together = mask;
  for (size_t i = 0; i < fragments.size(); ++i)
    if (i != current && fragments[i].state == Fragment::State::converge && fragments[i].pc == pc - 1)
      together |= fragments[i].mask;
  if ((together & wanted) != wanted) {
    park(Fragment::State::converge);
    fragments[current].members = members;
    return false;
  }
  for (size_t i = 0; i < fragments.size(); ++i) {
    Fragment &f = fragments[i];
    if (i != current && f.state == Fragment::State::converge && f.pc == pc - 1) {
      f.state = Fragment::State::ready;
      f.pc = pc;
    }
  }
  mask = together;
  return true;
}

} // namespace tessera::vgpu
