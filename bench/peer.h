// A peer to hold a GEMM against: OpenBLAS, opened at run time where the machine has it. Never part of the product.
#pragma once
#include <cstdint>
#include <optional>

namespace tessera::bench {

// Median microseconds of sgemm, row-major C[m,n] = A[m,k] B[k,n] on `threads` threads; nothing without OpenBLAS.
std::optional<double> blasMicroseconds(int64_t m, int64_t n, int64_t k, int threads);

} // namespace tessera::bench
