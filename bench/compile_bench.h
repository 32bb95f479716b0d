// Times what a program waits for where no cache knows a kernel: the trace, the compilation and, where this machine can
// run it, the linking; and what a kernel costs that the engine already holds.
#pragma once
#include "base/artifact.h"
#include "compiler/compile.h"
#include "ops/catalogue.h"
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

namespace tessera::bench {

struct CompileBenchOptions {
  std::string op;             // empty: every op of the library
  std::optional<DType> dtype; // none: every dtype of the op
  ops::Sizes sizes;           // over the op's default shape; empty: the op's own list of cases
  std::string config;         // over the default config of the shape
  std::string target = "cpu"; // a row of base/targets.cpp
  int repeats = 1;            // compilations a kernel, of which the fastest counts
  std::string ptxas = "none"; // NVIDIA's assembler after each, as findAssembler() of compiler/assembler.h takes it
};

// One kernel: an op at one dtype and one of its bench shapes, in the target's default config.
struct CompileBenchRow {
  std::string op, dtype, shape, config;
  double ms = 0;    // trace, compile and link
  double cpuMs = 0; // of that, what this thread was running: what others on the machine do not lengthen
  double ptxasMs = 0, ptxasCpuMs = 0; // the assembler after it; 0 where it was not asked for
  ResourceReport general, aligned;    // of both entries, where the assembler told; registers -1 where it did not
  double diskMs = 0;                  // finding the artifact in a disk cache again: key, read, check, decode
  std::vector<StageTime> stages; // of the fastest repeat: "trace", those of compile(), "link" on a CPU that can run it
};

struct CompileBenchResult {
  std::string target, ptxas;         // the assembler's version, empty where none was asked
  std::vector<CompileBenchRow> rows; // one a different kernel
  // The smallest time that at least `share` of the kernels stay within, in milliseconds; 0 without rows. The time is
  // the sum of the fields.
  double quantile(double share, std::initializer_list<double CompileBenchRow::*> fields = {&CompileBenchRow::ms}) const;
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
