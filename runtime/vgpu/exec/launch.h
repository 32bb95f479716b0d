// Running a whole grid: blocks over worker threads, counts merged, a modelled duration.
#pragma once
#include "runtime/vgpu/exec/block.h"
#include "runtime/vgpu/exec/resources.h"

namespace tessera::vgpu {

struct Report {
  std::vector<OpCount> counts; // by operation of the program
  uint64_t threadInstructions = 0, warpInstructions = 0;
  uint64_t pipes[16] = {}; // warp instructions by Pipe
  uint64_t globalSectors = 0, globalBytes = 0;
  uint64_t sharedWavefronts = 0, sharedIdeal = 0;
  double tensorFlop = 0; // of all types, and what they weigh against f16 (8-bit: half, tf32: twice)
  double tensorWork = 0;
  Occupancy occupancy;
  double modelledUs = 0;
};

// Executes the launch; findings are in launch.findings, and the grid stops at the first.
Report runLaunch(Launch &launch);

// The report as text: totals, then the source lines that cost most.
std::string describe(const Launch &launch, const Report &report);

} // namespace tessera::vgpu
