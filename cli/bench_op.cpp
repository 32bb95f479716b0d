#include "bench/op_bench.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/request.h"
#include <memory>

namespace tessera::cli {

namespace {
struct Options {
  bench::OpBenchOptions bench;
  RequestFlags request;
  bool json = false;
};

Json toJson(const bench::OpBenchRow &row) {
  Json json = {{"op", row.op},
               {"dtype", row.dtype},
               {"shape", row.shape},
               {"config", row.config},
               {"device", row.device},
               {"kind", "measured"},
               {"us", {{"median", row.us.median}, {"min", row.us.min}, {"max", row.us.max}}},
               {"tflops", row.tflops},
               {"gb_s", row.gbS},
               {"percent_of_roofline", row.percentOfRoofline}};
  if (row.peerRatio)
    json["openblas_ratio"] = *row.peerRatio;
  return json;
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

void printRow(const bench::OpBenchRow &row) {
  std::string peer = row.peerRatio ? ", " + number(*row.peerRatio, 2) + " x OpenBLAS" : "";
  print(padded(row.op, 13) + padded(row.dtype, 5) + padded(row.shape, 36) + " " + number(row.us.median, 2) + " us, " +
        number(row.tflops * 1000) + " Gflop/s, " + number(row.gbS) + " GB/s, " + number(row.percentOfRoofline) +
        " % of the roofline" + peer + "  (" + row.config + ")\n");
  (void)flushOutput(); // a row at once, also in a pipe
}

Status benchOp(const Options &options) {
  ops::OpRequest request = TESSERA_TRY(options.request.read());
  bench::OpBenchOptions bench = options.bench;
  bench.dtype = request.dtype;
  bench.config = request.config;
  bench.sizes = request.sizes;
  Json rows = Json::array();
  InterruptGuard guard;
  TESSERA_TRY(bench::benchOps(bench, [&](const bench::OpBenchRow &row) {
    rows.push_back(toJson(row));
    if (options.json)
      log(row.op + " " + row.dtype + " " + row.shape);
    else
      printRow(row);
    return !guard.interrupted();
  }));
  if (options.json)
    printJson({{"rows", rows}});
  if (guard.interrupted())
    return ioError("interrupted after " + std::to_string(rows.size()) + " cases");
  return {};
}
} // namespace

void addBenchOp(CLI::App &bench, Run &run) {
  CLI::App *command = bench.add_subcommand("op", "Library ops against the measured peaks of the device.");
  command->footer("Examples:\n  tessera bench op --op quant_matmul --dtype q4_1 --json\n"
                  "  tessera bench op --op gemm --size M=256,N=1024,K=1024 --threads 1");
  auto options = std::make_shared<Options>();
  command->add_option("--op", options->bench.op, "The op; all where it is left out");
  options->request.addTo(*command);
  command->add_option("--device", options->bench.device, "See tessera devices")->capture_default_str();
  command->add_option("--threads", options->bench.threads, "CPU threads; 0 is one a hardware thread")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--repeats", options->bench.repeats, "Timed samples a case")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] { run = [options] { return benchOp(*options); }; });
}

} // namespace tessera::cli
