// Counts of vendor-library kernels that were never executed here, from shape, kernel name and launch grid alone.
#pragma once
#include "base/result.h"
#include "runtime/vgpu/model/estimate.h"

#include <string_view>

namespace tessera::vgpu {

struct Work {
  LaunchShape shape;
  Counts counts;
};

// C[rows, cols] = A[rows, inner] x B[inner, cols], `batch` times, all f32.
struct GemmProblem {
  double batch = 1, rows = 0, inner = 0, cols = 0;
  bool transposed = true; // B is stored [cols, inner], as a linear layer's weight
  double gridX = 1, gridY = 1, gridZ = 1;
  uint32_t threads = 256;
};

// The kernel's name carries its tile ("ampere_sgemm_128x64_tn", "cutlass_80_simt_sgemm_256x128_8x4_tn_align1",
// "..._tilesize128x128x8_stage3_..."); grid z beyond the batch is a split of `inner`. Error: a name without a tile.
Result<Work> gemmWork(const Chip &chip, const Calibration &calibration, std::string_view kernel,
                      const GemmProblem &problem);

// One read of each input and one write, vectorized by four. `special` and `fma`: warp instructions for 32 elements.
struct ElementwiseProblem {
  double elements = 0;
  int inputs = 1;
  double special = 0, fma = 1;
  double blocks = 1;
  uint32_t threads = 128;
};
Work elementwiseWork(const ElementwiseProblem &problem);

// A row-wise kernel with one block a row, or several rows a block: layernorm reads a row twice, softmax three times
// when the row does not fit into registers (more than 1024 columns); what L2 kept of the row is not read again.
struct RowsProblem {
  double rows = 0, cols = 0;
  int reads = 2;
  double special = 0; // instructions for 32 elements
  double blocks = 1;
  uint32_t threads = 32;
};
Work rowsWork(const Chip &chip, const Calibration &calibration, const RowsProblem &problem);

} // namespace tessera::vgpu
