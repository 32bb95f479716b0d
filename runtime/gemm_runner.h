// GemmRunner: a product of given sizes as launches, one or, where the chip would idle, parts of k and their sum.
#pragma once
#include "ops/gemm_plan.h"
#include "runtime/engine.h"

namespace tessera {

// Holds its kernels and, where there are parts, their buffer: launches on several streams must not overlap. One thread
// at a time.
class GemmRunner {
public:
  using Load = std::function<Result<LoadedKernel>(const Program &)>;
  // For exactly the sizes "M", "N" and "K", as ops::planGemm() plans them. Errors: those of the trace and of `load`; no
  // memory for the parts.
  static Result<GemmRunner> make(const Device &device, const ops::Gemm &op, const ops::Sizes &sizes, const Load &load);
  static Result<GemmRunner> make(const Engine &engine, const ops::Gemm &op, const ops::Sizes &sizes) {
    return make(engine.device(), op, sizes, [&](const Program &program) { return engine.load(program); });
  }

  // Gemm's arguments in its order. Errors: those of LoadedKernel::launchAll.
  Status launch(const Stream &stream, std::span<const Arg> args) const;
  const ops::GemmPlan &plan() const { return chosen; }

private:
  ops::GemmPlan chosen;
  std::vector<LoadedKernel> kernels; // Gemm, or GemmSplit and GemmMerge
  Buffer parts;
};

} // namespace tessera
