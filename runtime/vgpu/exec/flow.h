// Basic blocks of a PTX function, their successors and immediate post-dominators: for divergence and for liveness.
#pragma once
#include "runtime/vgpu/exec/program.h"

namespace tessera::vgpu {

struct Flow {
  const ptx::Function &f;
  std::vector<uint32_t> leaders;           // first instruction of each block
  std::vector<uint32_t> blockOf;           // by instruction
  std::vector<std::vector<uint32_t>> next; // successors; blocks.size() is the exit
  std::vector<uint32_t> ipdom;             // nowhere when there is none

  explicit Flow(const ptx::Function &function);
  // One past the block's last instruction.
  uint32_t endOf(uint32_t block) const {
    return block + 1 < leaders.size() ? leaders[block + 1] : uint32_t(f.body.size());
  }

private:
  static bool ends(const ptx::Instruction &i) { return i.opcode == "ret" || i.opcode == "exit" || i.opcode == "trap"; }
  std::vector<uint32_t> targets(const ptx::Instruction &i) const;
  void postDominators(uint32_t exit);
};

} // namespace tessera::vgpu
