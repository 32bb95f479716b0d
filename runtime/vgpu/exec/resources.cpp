#include "runtime/vgpu/exec/resources.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {
constexpr uint32_t registerFile = 65536; // of an SM, on every chip here
constexpr uint32_t mostRegisters = 255;
// Allocation is by warps, in units of 256 registers: 8 for a thread.
constexpr uint32_t unit = 8;

// Fitted to ptxas on tests/vgpu/kernels: what it takes beyond live values (addresses, temporaries, alignment of pairs).
constexpr uint32_t allowance = 4;
constexpr uint32_t abiRegisters = 24; // a function may use these without saving them

uint64_t product(const uint32_t (&v)[3]) { return uint64_t(v[0]) * std::max(1u, v[1]) * std::max(1u, v[2]); }

// setmaxnreg counts only where the directives fix the registers at the start, as ptxas has it; otherwise it is ignored.
uint32_t mostAskedFor(const ptx::Function &entry, bool &moves) {
  uint32_t most = 0;
  const bool fixed = entry.maxRegisters || (entry.minBlocksPerSm && (entry.maxThreads[0] || entry.requiredThreads[0]));
  for (const ptx::Instruction &i : entry.body)
    if (i.opcode == "setmaxnreg" && fixed && !i.operands.empty())
      moves = true, most = std::max(most, uint32_t(i.operands[0].bits));
  return most;
}
} // namespace

uint32_t registerBound(const ptx::Function &entry) {
  uint32_t bound = mostRegisters;
  uint64_t threads = std::max(product(entry.maxThreads), product(entry.requiredThreads));
  if (threads) {
    // So many blocks have to fit at once; warps are granted in fours.
    const uint64_t warps = (threads + lanes - 1) / lanes * std::max(1u, entry.minBlocksPerSm);
    const uint64_t each = registerFile / ((warps + 3) / 4 * 4 * lanes);
    bound = uint32_t(std::clamp<uint64_t>(each / unit * unit, 16, mostRegisters));
  }
  if (entry.maxRegisters)
    bound = std::min(bound, std::max(entry.maxRegisters, 16u));
  return bound;
}

Resources resourcesOf(const ptx::Function &entry, const FunctionNeed &need) {
  Resources r;
  r.live = need.live;
  r.predicates = need.predicates;
  r.peakLine = need.line;
  uint32_t wanted = std::max(need.live, need.ahead) + allowance;
  if (need.usesAbi)
    wanted = std::max(wanted, abiRegisters);
  bool moves = false;
  const uint32_t bound = registerBound(entry), asked = mostAskedFor(entry, moves);
  r.registers = moves ? bound : std::clamp(wanted, 8u, bound);
  const uint32_t room = std::max(bound, asked);
  r.spillBytes = wanted > room ? 4 * (wanted - room) : 0;
  return r;
}

Occupancy occupancyOf(const Program &program, const Chip &chip, uint32_t threads, uint64_t dynamicShared) {
  if (threads == 0 || threads > 1024)
    return {};
  LaunchShape shape;
  shape.threads = threads;
  shape.registers = program.resources.registers;
  const uint64_t bytes = std::max<uint64_t>(program.sharedBytes, program.dynamicSharedOffset + dynamicShared);
  shape.sharedBytes = uint32_t(std::min<uint64_t>(bytes, UINT32_MAX));
  return occupancy(chip, shape);
}

uint32_t mostThreads(const Program &program) {
  const uint32_t aWarp = (program.resources.registers + unit - 1) / unit * unit * lanes;
  return std::min(1024u, registerFile / std::max(aWarp, 1u) / 4 * 4 * lanes);
}

} // namespace tessera::vgpu
