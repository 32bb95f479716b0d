// How a matrix instruction sums: the ISA leaves order and rounding of floating-point accumulation open, so there are
// three readings of it, and a kernel's results have to hold in all of them.
#pragma once
#include "runtime/vgpu/exec/options.h"
#include <cstddef>
#include <cstdint>

namespace tessera::vgpu {

// c + a[0] b[0] + ... + a[k - 1] b[(k - 1) stride], in f32.
//   ieeeFma: one rounding to nearest a product, in the order of k;
//   exactThenRound: the sum of all exact products, rounded to nearest once;
//   truncate: products and c are aligned to the largest of them and cut off one bit below f32's last, and the sum is
//   cut off too: what Fasi, Higham, Mikaitis and Pranesh, "Numerical behavior of NVIDIA tensor cores" (2021), found of
//   the hardware, with the whole instruction as one block. Of 8-bit floats by wgmma `bits` below the largest's first
//   are kept, 13, as DeepSeek-AI, "DeepSeek-V3 Technical Report" (2024, 3.3.2), found of Hopper.
// Elements have at most 12 significant bits, as those of all 8 and 16-bit formats and tf32, so that products are exact.
float tensorSum(TensorModel model, float c, const float *a, const float *b, size_t stride, uint32_t k, int bits = 24);

} // namespace tessera::vgpu
