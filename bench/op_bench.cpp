#include "bench/op_bench.h"
#include "bench/op_cases.h"
#include "bench/peaks.h"
#include "bench/peer.h"
#include "runtime/gemm_runner.h"
#include <algorithm>

namespace tessera::bench {

static bool usesIntegerDots(std::string_view op, DType dtype) {
  return (op == "quant_matmul" && isPacked(dtype)) || dtype == i8;
}

static Result<OpBenchRow> benchCase(const Device &device, Peaks &peaks, const ops::OpInfo &op,
                                    const ops::OpRequest &request, int repeats) {
  ops::Sizes sizes = sizesOf(op, request.sizes);
  Program program = TESSERA_TRY(op.trace(request, device.target()));
  LoadedKernel kernel = TESSERA_TRY(load(device, program));
  std::unique_ptr<CaseArguments> arguments = TESSERA_TRY(argumentsOf(device, program.signature, sizes));
  ops::Cost cost = TESSERA_TRY(op.cost(request));

  OpBenchRow row{.op = std::string(op.name),
                 .dtype = std::string(name(*request.dtype)),
                 .shape = shapeText(sizes),
                 .config = program.config,
                 .device = std::string(device.target().name)};
  row.us = TESSERA_TRY(timeLaunches(device, kernel, arguments->args, repeats));
  if (op.name == "gemm" && request.config.empty()) { // as a runner does it: whole, or in parts where that is planned
    GemmRunner runner = TESSERA_TRY(GemmRunner::make(device, ops::Gemm::of(*request.dtype, sizes), sizes,
                                                     [&](const Program &part) { return load(device, part); }));
    if (int64_t splits = runner.plan().splits; splits > 1) {
      row.config += ",splits=" + std::to_string(splits);
      row.us = TESSERA_TRY(
          timeLaunches(device, [&](const Stream &stream) { return runner.launch(stream, arguments->args); }, repeats));
    }
  }
  row.tflops = cost.flops / row.us.median * 1e-6;
  row.gbS = cost.bytes / row.us.median * 1e-3;
  double compute = cost.flops / TESSERA_TRY(peaks.flops(usesIntegerDots(op.name, *request.dtype)));
  double memory = cost.bytes / TESSERA_TRY(peaks.readBytes(cost.bytes));
  row.percentOfRoofline = 100 * std::max(compute, memory) / (row.us.median * 1e-6);
  if (op.name == "gemm" && *request.dtype == f32)
    if (std::optional<double> us =
            blasMicroseconds(ops::at(sizes, "M"), ops::at(sizes, "N"), ops::at(sizes, "K"), device.threads()))
      row.peerRatio = *us / row.us.median;
  return row;
}

Status benchOps(const OpBenchOptions &options, const std::function<bool(const OpBenchRow &)> &done) {
  Device device = TESSERA_TRY(Device::open(options.device, {.threads = options.threads}));
  if (device.impl().isModelled())
    return unsupported("bench op measures, and the times of " + options.device +
                       " are modelled: tessera run-kernel tells them, kernel by kernel");
  Peaks peaks(device);
  if (!options.op.empty())
    (void)TESSERA_TRY(ops::findOp(options.op));
  for (const ops::OpInfo &op : ops::all()) {
    if (!options.op.empty() && op.name != options.op)
      continue;
    std::vector<DType> dtypes = dtypesOf(op, device.target());
    if (options.dtype)
      dtypes = {*options.dtype};
    for (DType dtype : dtypes)
      for (const ops::Sizes &sizes : options.sizes.empty() ? casesOf(op, dtype) : std::vector{options.sizes})
        if (!done(TESSERA_TRY(benchCase(device, peaks, op, {dtype, options.config, sizes}, options.repeats))))
          return {};
  }
  return {};
}

} // namespace tessera::bench
