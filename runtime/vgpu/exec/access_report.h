// How a launch went to memory, instruction by instruction: widths of global accesses, conflicts of matrix loads.
#pragma once
#include "runtime/vgpu/exec/report.h"
#include <map>

namespace tessera::vgpu {

struct AccessReport {
  // Warp instructions that reached global memory, by the bytes of one lane: loads, stores, atomics and cp.async. Bulk
  // and tensor copies have no lanes.
  std::map<uint32_t, uint64_t> globalRequests;
  // Of ldmatrix instructions: passes over those that the bytes need, of the worst one; 0 where none was executed.
  double matrixLoadDegree = 0;
};

AccessReport accessReport(const Launch &launch, const Report &report);

} // namespace tessera::vgpu
