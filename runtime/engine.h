// Engine: turns an op into a kernel that runs on a device: from memory, from the disk cache, or by compiling it.
#pragma once
#include "base/result.h"
#include "compiler/program.h"
#include "dsl/trace.h"
#include "ops/catalogue.h"
#include "runtime/device.h"
#include "runtime/module.h"
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

// Which configuration suits an op at these shapes on this target, as "bm=8,bn=32"; empty for the op's default.
using Chooser = std::function<std::string(std::string_view op, std::span<const Shape> shapes, const Target &target)>;

// `done` of `total` kernels that had to be compiled are ready; `name` is the latest to start or finish.
struct CompileProgress {
  std::string_view name;
  int done, total;
};

struct EngineOptions {
  std::string cacheDir;   // empty: TESSERA_CACHE, else ~/.cache/tessera/kernels
  int compileThreads = 2; // at least 1
  Chooser chooser;        // may be empty
  // NVIDIA's assembler, as findAssembler() of compiler/assembler.h takes it: "" = one that is found, on a device that
  // runs its code; a named one also where only its registers count. A found one that fails is passed over with one line
  // on standard error; of a named one it is an error.
  std::string ptxas;
  std::function<void(const CompileProgress &)> onProgress; // one call at a time, from any thread
  // Stands in for compile() of compiler/compile.h in tests.
  std::function<Result<Artifact>(const Program &, const Target &)> compile;
};

// Since the engine was made. compileMs is wall time: two kernels compiled side by side count once.
struct EngineStats {
  int64_t compiled = 0, fromDisk = 0, fromMemory = 0, corruptEntries = 0;
  double compileMs = 0;
};

// A handle; copies are the same engine. Thread-safe: a kernel wanted by two threads is compiled once.
class Engine {
public:
  explicit Engine(Device device, EngineOptions options = {});

  const Device &device() const;
  const Target &target() const { return device().target(); }
  EngineStats stats() const;

  // Traces, then loads. Errors: the user's mistake with file and line, from the trace or the compiler. Without a config
  // the chooser's, else the op's default, is taken; `shapes` (the arguments' shapes, in order) help the chooser and may
  // be empty.
  template <class Op> Result<LoadedKernel> build(const Op &op, std::span<const Shape> shapes = {}) const {
    return load(TESSERA_TRY(program(op, op.defaultConfig(target()), shapes)));
  }
  template <class Op> Result<LoadedKernel> build(const Op &op, const typename Op::Config &config) const {
    return load(TESSERA_TRY(trace(op, config)));
  }
  // What build() would load, for loadAll(): `config` with the fields that the chooser sets.
  template <class Op>
  Result<Program> program(const Op &op, typename Op::Config config, std::span<const Shape> shapes = {}) const {
    TESSERA_TRY(ops::parseConfig(choose(Op::name, shapes), config));
    return trace(op, config);
  }

  Result<LoadedKernel> load(const Program &program) const;
  // All of them, in order, compiling on several threads; the first error in that order.
  Result<std::vector<LoadedKernel>> loadAll(std::span<const Program> programs) const;

private:
  struct State;
  std::string choose(std::string_view op, std::span<const Shape> shapes) const;
  std::shared_ptr<State> state;
};

} // namespace tessera
