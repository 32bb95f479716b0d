// A vector clock over the agents of a cluster, and what is known of single lanes of a warp beyond it.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace tessera::vgpu {

struct VectorClock {
  struct Lanes {
    uint32_t agent = 0;
    std::array<uint32_t, 32> times{};
  };
  std::vector<uint32_t> times; // by agent; empty: nothing is known
  std::vector<Lanes> lanes;    // few: of warps of which only some lanes handed something on

  void clear() { times.clear(), lanes.clear(); }
  bool empty() const { return times.empty(); }
  // Time until which this lane of the agent is known.
  uint32_t of(uint32_t agent, uint32_t lane) const {
    uint32_t known = agent < times.size() ? times[agent] : 0;
    for (const Lanes &l : lanes)
      if (l.agent == agent)
        known = std::max(known, l.times[lane]);
    return known;
  }
  void raise(uint32_t agent, uint32_t time) {
    times[agent] = std::max(times[agent], time);
    std::erase_if(lanes, [&](const Lanes &l) {
      return l.agent == agent && *std::max_element(l.times.begin(), l.times.end()) <= times[agent];
    });
  }
  void join(const VectorClock &from) {
    if (times.size() < from.times.size())
      times.resize(from.times.size());
    for (size_t i = 0; i < from.times.size(); ++i)
      times[i] = std::max(times[i], from.times[i]);
    for (const Lanes &l : from.lanes)
      joinLanes(l);
    if (!lanes.empty())
      settle();
  }
  void joinLanes(const Lanes &from) {
    for (Lanes &l : lanes)
      if (l.agent == from.agent) {
        for (size_t i = 0; i < 32; ++i)
          l.times[i] = std::max(l.times[i], from.times[i]);
        return;
      }
    lanes.push_back(from);
  }
  // What is known of all lanes of a warp is known of the warp.
  void settle() {
    for (const Lanes &l : lanes)
      times[l.agent] = std::max(times[l.agent], *std::min_element(l.times.begin(), l.times.end()));
    std::erase_if(lanes, [&](const Lanes &l) {
      return std::all_of(l.times.begin(), l.times.end(), [&](uint32_t t) { return t <= times[l.agent] || t == ~0u; });
    });
  }
};

} // namespace tessera::vgpu
