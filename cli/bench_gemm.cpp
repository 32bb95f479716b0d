#include "bench/gemm_bench.h"
#include "cli/command.h"
#include "cli/console.h"
#include <charconv>
#include <cmath>
#include <memory>

namespace tessera::cli {

namespace {
struct Options {
  bench::GemmBenchOptions bench;
  std::string dtype = "f32", shape;
  bool json = false;
};

Json toJson(const bench::Spread &us) { return {{"median", us.median}, {"min", us.min}, {"max", us.max}}; }

// The better peer's median over ours; above 1 ours is faster.
std::optional<double> ratioOf(const bench::GemmBenchRow &row) {
  std::optional<double> best;
  for (const std::optional<bench::Spread> &peer : {row.blas, row.dnnl})
    if (peer && (!best || peer->median < *best))
      best = peer->median;
  return best ? std::optional(*best / row.us.median) : std::nullopt;
}

Json toJson(const bench::GemmBenchRow &row) {
  Json json = {{"m", row.shape.m},     {"n", row.shape.n}, {"k", row.shape.k},
               {"config", row.config}, {"gops", row.gops}, {"us", toJson(row.us)}};
  if (row.blas)
    json["openblas_us"] = toJson(*row.blas);
  if (row.dnnl)
    json["onednn_us"] = toJson(*row.dnnl);
  if (std::optional<double> ratio = ratioOf(row))
    json["ratio"] = *ratio;
  return json;
}

void printRow(const bench::GemmBenchRow &row) {
  auto peer = [](const char *name, const std::optional<bench::Spread> &us) {
    return us ? std::string(", ") + name + " " + number(us->median, 1) + " (" + number(us->min, 1) + " to " +
                    number(us->max, 1) + ")"
              : "";
  };
  std::string ratio = ratioOf(row) ? ": " + number(*ratioOf(row), 2) + " x the better" : "";
  print(std::to_string(row.shape.m) + " x " + std::to_string(row.shape.n) + " x " + std::to_string(row.shape.k) + "  " +
        number(row.us.median, 1) + " us (" + number(row.us.min, 1) + " to " + number(row.us.max, 1) + "), " +
        number(row.gops) + " G/s" + peer("OpenBLAS", row.blas) + peer("oneDNN", row.dnnl) + ratio + "  (" + row.config +
        ")\n");
  (void)flushOutput(); // a row at once, also in a pipe
}

// "M,N,K"
Result<bench::GemmShape> parseShape(const std::string &text) {
  int64_t sizes[3] = {};
  const char *at = text.data(), *end = at + text.size();
  for (int i = 0; i < 3; ++i) {
    auto [next, error] = std::from_chars(at, end, sizes[i]);
    if (error != std::errc() || sizes[i] < 1 || (i < 2 ? next == end || *next != ',' : next != end))
      return invalidArgument("--shape '" + text + "': want M,N,K, three numbers from 1");
    at = next + 1;
  }
  return bench::GemmShape{sizes[0], sizes[1], sizes[2]};
}

Status benchGemm(const Options &options) {
  bench::GemmBenchOptions bench = options.bench;
  std::optional<DType> dtype = dtypeByName(options.dtype);
  if (!dtype)
    return invalidArgument("unknown dtype '" + options.dtype + "'");
  bench.dtype = *dtype;
  if (!options.shape.empty())
    bench.shapes = {TESSERA_TRY(parseShape(options.shape))};
  Json rows = Json::array();
  double logs = 0;
  int compared = 0;
  InterruptGuard guard;
  TESSERA_TRY(bench::benchGemm(bench, [&](const bench::GemmBenchRow &row) {
    rows.push_back(toJson(row));
    if (std::optional<double> ratio = ratioOf(row)) {
      logs += std::log(*ratio);
      ++compared;
    }
    if (options.json)
      log(std::to_string(row.shape.m) + " x " + std::to_string(row.shape.n) + " x " + std::to_string(row.shape.k));
    else
      printRow(row);
    return !guard.interrupted();
  }));
  double mean = compared ? std::exp(logs / compared) : 0;
  if (options.json)
    printJson({{"dtype", options.dtype},
               {"threads", options.bench.threads},
               {"repeats", options.bench.repeats},
               {"geometric_mean_ratio", mean},
               {"rows", rows}});
  else if (compared)
    print("geometric mean over " + std::to_string(compared) + " shapes: " + number(mean, 3) + " x the better peer\n");
  if (guard.interrupted())
    return ioError("interrupted after " + std::to_string(rows.size()) + " shapes");
  return {};
}
} // namespace

void addBenchGemm(CLI::App &bench, Run &run) {
  CLI::App *command =
      bench.add_subcommand("gemm", "Matrix products against OpenBLAS and oneDNN, samples of each in turn.");
  command->footer(
      "Examples:\n  tessera bench gemm --threads 1\n  tessera bench gemm --dtype bf16 --shape 16,4096,4096 --json");
  auto options = std::make_shared<Options>();
  command->add_option("--dtype", options->dtype, "f32, bf16 (with an f32 result) or u8 (by i8, with an i32 result)")
      ->capture_default_str();
  command->add_option("--shape", options->shape, "M,N,K; without it squares and layers of SmolLM2-135M and Llama-3-8B");
  command->add_option("--device", options->bench.device, "See tessera devices")->capture_default_str();
  command->add_option("--threads", options->bench.threads, "CPU threads; 0 is one a hardware thread")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--repeats", options->bench.repeats, "Timed samples of each contender")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] { run = [options] { return benchGemm(*options); }; });
}

} // namespace tessera::cli
