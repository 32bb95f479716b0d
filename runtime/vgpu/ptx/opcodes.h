// The table of PTX opcodes that are understood: one row each, with its modifiers and what a chip must be to have it.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace tessera::vgpu::ptx {

struct Opcode {
  std::string_view name; // the longest dotted prefix that names the operation, e.g. "cp.async.bulk"
  uint8_t minOperands = 0, maxOperands = 0;
  std::string_view modifiers; // allowed besides types, blank-separated; "$name" stands for a group below
  uint16_t minVersion = 10;   // PTX ISA version times ten
  uint16_t minArch = 0;       // compute capability times ten
  bool archSpecific = false;  // only in sm_90a: the .target must end in 'a'
};

// The row whose name is the longest prefix of `dotted` (an opcode's words, dots between), or null.
const Opcode *opcodeOf(std::span<const std::string_view> words, size_t &used);
// The row of an instruction's opcode name, null when there is none.
const Opcode *opcodeNamed(std::string_view name);
bool allows(const Opcode &row, std::string_view modifier);

} // namespace tessera::vgpu::ptx
