// What the checker reports about a kernel: what went wrong, where, and what was expected.
#pragma once
#include <cstdint>
#include <string>

namespace tessera::vgpu {

enum class Fault : uint8_t {
  none,
  bounds,
  misaligned,
  useAfterFree,
  uninitialised,
  race,
  missingWait,
  missingFence,
  barrier,
  deadlock,
  divergent,
  mbarrier,
  trap,
  assertion,
  illegal
};

std::string_view nameOf(Fault fault);

struct Finding {
  Fault fault = Fault::none;
  std::string kernel, instruction; // PTX text of the instruction
  std::string file;                // of .loc, empty when there is none
  uint32_t line = 0;               // of .loc
  uint32_t ptxLine = 0;
  uint32_t block[3] = {0, 0, 0}, thread[3] = {0, 0, 0};
  uint64_t address = 0;
  std::string message; // what was wrong and what was expected

  std::string text() const;
};

} // namespace tessera::vgpu
