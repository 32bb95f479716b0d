// Targets: one row of data a chip. Passes ask a row for what the chip has, never for which chip it is.
#pragma once
#include "base/result.h"
#include <cstdint>
#include <span>
#include <string_view>

namespace tessera {

enum class Vendor : uint8_t { cpu, nvidia, amd };

// What a GPU has beyond its arch; zeros for a CPU. Sources: CUDA C++ Programming Guide, "Technical Specifications per
// Compute Capability"; vendor datasheets.
struct GpuTraits {
  int sharedBytes = 0;  // of shared memory that one block can take
  int stages = 1;       // steps of a loop whose operands are in shared memory or on their way, where nobody says
  std::string_view has; // abilities that the compiler asks for, comma-separated
  int raster = 1;       // rows of tiles that the programs of a product walk together, where nobody says
};

// One chip. All rows are static data; a reference stays valid for the program's life.
struct Target {
  std::string_view name; // as given to --target
  Vendor vendor;
  std::string_view arch;     // LLVM's -mcpu
  std::string_view features; // LLVM's -mattr, on top of arch
  int vectorBytes;           // width of one vector register
  int registers;             // architectural vector registers
  int maskedBits;            // narrowest element that masked vector loads and stores take; 0 = there are none
  int tileBytes;             // the largest tile a kernel may hold at once
  std::string_view needs;    // host features that must be present to run it, comma-separated (/proc/cpuinfo names)
  GpuTraits gpu = {};
  // Whether gpu.has lists the ability.
  bool has(std::string_view ability) const;
};

std::span<const Target> targets();
// The row of that name; "cpu" is the best CPU row that this machine can run.
Result<const Target *> findTarget(std::string_view name);
// Whether this machine's CPU has all that the row needs.
bool hostCanRun(const Target &target);

} // namespace tessera
