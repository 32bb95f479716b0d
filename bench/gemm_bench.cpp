#include "bench/gemm_bench.h"
#include "bench/op_cases.h"
#include <algorithm>
#include <chrono>
#include <thread>

namespace tessera::bench {

std::span<const GemmShape> gemmShapes() {
  static const std::vector<GemmShape> shapes = [] {
    std::vector<GemmShape> all;
    for (int64_t size : {256, 512, 1024, 2048})
      all.push_back({size, size, size});
    const std::pair<int64_t, int64_t> layers[] = {
        {576, 576},   {192, 576},   {1536, 576},   {576, 1536},  {49152, 576},
        {4096, 4096}, {1024, 4096}, {14336, 4096}, {4096, 14336}}; // N, K; Llama's vocabulary is left out for its size
    for (int64_t rows : {1, 4, 16})
      for (auto [n, k] : layers)
        all.push_back({rows, n, k});
    return all;
  }();
  return shapes;
}

using Clock = std::chrono::steady_clock;

namespace {
// One contender: how many calls fill a sample, and the samples so far.
struct Contender {
  std::function<Status()> once;
  int64_t calls = 1;
  std::vector<double> us;

  Result<double> elapsed() {
    Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < calls; ++i)
      TESSERA_TRY(once());
    return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
  }
  Status warmUp() {
    while (TESSERA_TRY(elapsed()) < 1000)
      calls *= 2;
    return {};
  }
  Status sample() {
    // Idle worker threads spin before they sleep, OpenBLAS' for 25 ms, and would take a core from the next contender.
    // Threads that just woke may share a core until the kernel's next ticks part them.
    std::this_thread::sleep_for(std::chrono::milliseconds(60));
    for (Clock::time_point start = Clock::now(); Clock::now() - start < std::chrono::milliseconds(20);)
      TESSERA_TRY(once());
    us.push_back(TESSERA_TRY(elapsed()) / double(calls));
    return {};
  }
  Spread spread() {
    std::ranges::sort(us);
    return {us[us.size() / 2], us.front(), us.back()};
  }
};
} // namespace

static int kGroupOf(DType dtype) { return dtype == bf16 ? 2 : dtype == u8 ? 4 : 0; }

// Our kernel with B in panels, arguments bound.
static Result<GemmBenchRow> benchShape(const Device &device, const GemmBenchOptions &options, GemmShape shape) {
  ops::Gemm op = ops::Gemm::of(options.dtype, ops::Gemm::sizes());
  op.out = options.dtype == u8 ? i32 : f32;
  op.panel = op.defaultConfig(device.target()).bn;
  op.kGroup = kGroupOf(options.dtype);
  Program program = TESSERA_TRY(trace(op, op.defaultConfig(device.target(), shape.m)));
  LoadedKernel kernel = TESSERA_TRY(load(device, program));
  ops::Sizes sizes = {{"M", shape.m}, {"N", shape.n}, {"K", shape.k}, {"panel", op.panel}};
  std::unique_ptr<CaseArguments> arguments = TESSERA_TRY(argumentsOf(device, program.signature, sizes));
  PreparedLaunch launch = TESSERA_TRY(kernel.prepare(arguments->args));
  Stream stream = TESSERA_TRY(device.stream());

  std::vector<Contender> contenders{{.once = [&]() -> Status {
    TESSERA_TRY(launch.launch(stream));
    return stream.synchronize();
  }}};
  auto add = [&](std::optional<PeerCall> peer) {
    if (peer)
      contenders.push_back({.once = [call = *std::move(peer)]() -> Status {
        call();
        return {};
      }});
    return peer ? int(contenders.size()) - 1 : 0;
  };
  int blas = options.dtype == f32 ? add(blasGemm(shape, device.threads())) : 0;
  int dnnl = add(dnnlGemm(options.dtype, shape, device.threads()));
  for (Contender &contender : contenders)
    TESSERA_TRY(contender.warmUp());
  for (int repeat = 0; repeat < options.repeats; ++repeat)
    for (Contender &contender : contenders)
      TESSERA_TRY(contender.sample());
  GemmBenchRow row{.shape = shape, .config = program.config, .us = contenders[0].spread()};
  if (blas)
    row.blas = contenders[size_t(blas)].spread();
  if (dnnl)
    row.dnnl = contenders[size_t(dnnl)].spread();
  row.gops = 2e-3 * double(shape.m) * double(shape.n) * double(shape.k) / row.us.median;
  return row;
}

Status benchGemm(const GemmBenchOptions &options, const std::function<bool(const GemmBenchRow &)> &done) {
  Device device = TESSERA_TRY(Device::open(options.device, {.threads = options.threads}));
  if (device.target().vendor != Vendor::cpu)
    return unsupported("bench gemm holds a CPU against CPU libraries; " + options.device + " is none");
  if (options.dtype != f32 && options.dtype != bf16 && options.dtype != u8)
    return unsupported("bench gemm takes f32, bf16 or u8, not " + std::string(name(options.dtype)));
  std::vector<GemmShape> shapes = options.shapes;
  if (shapes.empty())
    shapes.assign(gemmShapes().begin(), gemmShapes().end());
  for (GemmShape shape : shapes)
    if (!done(TESSERA_TRY(benchShape(device, options, shape))))
      return {};
  return {};
}

} // namespace tessera::bench
