// Times Gemm against OpenBLAS and oneDNN on this machine's CPU, samples of each in turn.
#pragma once
#include "bench/kernel_timer.h"
#include "bench/peer.h"
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tessera::bench {

struct GemmBenchOptions {
  DType dtype = f32;             // f32, bf16 (f32 result) or u8 (by i8, i32 result)
  std::vector<GemmShape> shapes; // empty: gemmShapes()
  std::string device = "cpu";    // or a CPU row that this machine can run
  int threads = 0;               // 0: one a hardware thread
  int repeats = 7;               // samples of each contender, each of at least a millisecond
};

// One shape. B is packed beforehand for ours and for oneDNN, as weights are; OpenBLAS packs it itself each time.
struct GemmBenchRow {
  GemmShape shape = {};
  std::string config;
  Spread us = {};                   // of ours
  std::optional<Spread> blas, dnnl; // nothing where the machine has no such peer, or it has no such product
  double gops = 0;                  // 2 m n k over our median, in 10^9 a second
};

// Squares from 256 to 2048, and the products of SmolLM2-135M and Llama-3-8B layers at 1, 4 and 16 rows.
std::span<const GemmShape> gemmShapes();

// Calls `done` with each row as soon as it is measured; false stops there. Errors: a device that is no CPU, another
// dtype.
Status benchGemm(const GemmBenchOptions &options, const std::function<bool(const GemmBenchRow &)> &done);

} // namespace tessera::bench
