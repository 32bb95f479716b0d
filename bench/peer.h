// Peers to hold a GEMM against: OpenBLAS and oneDNN, opened at run time where the machine has them. Never part of the
// product.
#pragma once
#include "base/dtype.h"
#include <cstdint>
#include <functional>
#include <optional>

namespace tessera::bench {

// One product C[m,n] = A[m,k] B[k,n], row-major, each time it is called; owns its operands.
using PeerCall = std::function<void()>;

struct GemmShape {
  int64_t m, n, k;
};

// OpenBLAS' sgemm, which packs B in every call; nothing without the library.
std::optional<PeerCall> blasGemm(GemmShape shape, int threads);
// oneDNN's matmul with weights in the order that it likes best, packed beforehand: f32; bf16 with an f32 result; u8 by
// i8 (dtype u8) with an i32 result. Nothing without the library, without its headers at build time, or where it
// refuses.
std::optional<PeerCall> dnnlGemm(DType dtype, GemmShape shape, int threads);

// Median microseconds of blasGemm.
std::optional<double> blasMicroseconds(int64_t m, int64_t n, int64_t k, int threads);

} // namespace tessera::bench
