#include "runtime/gemm_runner.h"
#include "ops/gemm_merge.h"
#include "ops/gemm_split.h"

namespace tessera {

Result<GemmRunner> GemmRunner::make(const Device &device, const ops::Gemm &op, const ops::Sizes &sizes,
                                    const Load &load) {
  GemmRunner runner;
  runner.chosen = ops::planGemm(op, sizes, device.target());
  if (runner.chosen.splits == 1) {
    runner.kernels.push_back(TESSERA_TRY(load(TESSERA_TRY(trace(op, runner.chosen.config)))));
    return runner;
  }
  ops::GemmSplit split{op.in, op.transposed, op.precision};
  ops::GemmMerge merge{.sum = split.sumType(), .out = op.out, .epilogue = op.epilogue};
  runner.kernels.push_back(TESSERA_TRY(load(TESSERA_TRY(trace(split, runner.chosen.config)))));
  runner.kernels.push_back(TESSERA_TRY(load(TESSERA_TRY(trace(merge, merge.defaultConfig(device.target()))))));
  runner.parts =
      TESSERA_TRY(device.alloc(split.sumType(), {runner.chosen.splits, ops::at(sizes, "M"), ops::at(sizes, "N")}));
  return runner;
}

Status GemmRunner::launch(const Stream &stream, std::span<const Arg> args) const {
  if (kernels.size() == 1)
    return kernels[0].launchAll(stream, args);
  if (args.size() != 3)
    return invalidArgument("gemm takes A, B and C, not " + std::to_string(args.size()) + " arguments");
  const Arg first[] = {args[0], args[1], parts}, second[] = {parts, args[2]};
  TESSERA_TRY(kernels[0].launchAll(stream, first));
  return kernels[1].launchAll(stream, second);
}

} // namespace tessera
