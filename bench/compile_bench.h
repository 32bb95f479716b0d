// Times what a program waits for where no cache knows a kernel: the trace, the compilation and, where this machine can
// run it, the linking; and what a kernel costs that the engine already holds.
#pragma once
#include "base/dtype.h"
#include "compiler/compile.h"
#include "ops/catalogue.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace tessera::bench {

struct CompileBenchOptions {
  std::string op;             // empty: every op of the library
  std::optional<DType> dtype; // none: every dtype of the op
  std::string target = "cpu"; // a row of base/targets.cpp
  int repeats = 1;            // compilations a kernel, of which the fastest counts
};

// One kernel: an op at one dtype and one of its bench shapes, in the target's default config.
struct CompileBenchRow {
  std::string op, dtype, shape, config;
  double ms = 0;                 // trace, compile and link
  std::vector<StageTime> stages; // of the fastest repeat: "trace", those of compile(), "link" on a CPU that can run it
};

struct CompileBenchResult {
  std::string target;
  std::vector<CompileBenchRow> rows; // one a different kernel
  // The smallest time that at least `share` of the kernels stay within, in milliseconds; 0 without rows.
  double quantile(double share) const;
};

// Compiles cold, one kernel after another on one thread, and calls `done` with each; false stops there. Errors: an
// unknown op, dtype or target; a kernel that does not compile.
Result<CompileBenchResult> benchCompile(const CompileBenchOptions &options,
                                        const std::function<bool(const CompileBenchRow &)> &done);

// Nanoseconds that Engine::load takes for a program it holds already: least and median of many samples.
struct LookupTime {
  double min = 0, median = 0;
};
Result<LookupTime> timeLookup();

} // namespace tessera::bench
