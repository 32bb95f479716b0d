// Times library ops on a device that is really there, and sets them against what the device can do at best.
#pragma once
#include "base/dtype.h"
#include "bench/kernel_timer.h"
#include "ops/catalogue.h"
#include <functional>
#include <optional>
#include <string>

namespace tessera::bench {

struct OpBenchOptions {
  std::string op;             // empty: every op of the library
  std::optional<DType> dtype; // none: every dtype of the op
  ops::Sizes sizes;           // over the op's default shape; empty: the op's own list of cases
  std::string config;         // over the default config of the shape
  std::string device = "cpu"; // or a row of base/targets.cpp that this machine can run
  int threads = 0;            // 0: one a hardware thread
  int repeats = 20;           // timed samples a case, each of at least a millisecond
};

// One case. Flops and bytes are the least that the case needs (ops::Cost), so rates compare implementations fairly.
struct OpBenchRow {
  std::string op, dtype, shape, config, device; // shape and config as "k=v,..."
  Spread us = {};                               // microseconds a launch
  double tflops = 0, gbS = 0;
  double percentOfRoofline = 0;    // the least time by the device's measured peaks, over the median
  std::optional<double> peerRatio; // the peer's median over ours: OpenBLAS for gemm f32, where the machine has it
};

// Calls `done` with each row as soon as it is measured; false stops there. Errors: an unknown op, dtype, size or
// device; a case that does not compile. One call at a time: cases must not share the cores.
Status benchOps(const OpBenchOptions &options, const std::function<bool(const OpBenchRow &)> &done);

} // namespace tessera::bench
