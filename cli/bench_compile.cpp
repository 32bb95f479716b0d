#include "bench/compile_bench.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/request.h"
#include <map>
#include <memory>

namespace tessera::cli {

namespace {
struct Options {
  bench::CompileBenchOptions bench;
  RequestFlags request;
  bool library = false, json = false;
};

Json stagesOf(const bench::CompileBenchRow &row) {
  Json stages = Json::object();
  for (const StageTime &stage : row.stages)
    stages[stage.stage] = stage.ms;
  return stages;
}

// Null where nobody has told, or the kernel has no such entry.
Json resourcesOf(const ResourceReport &entry) {
  if (entry.registers < 0)
    return Json();
  return {{"registers", entry.registers},
          {"spill_bytes", entry.spillBytes},
          {"local_bytes", entry.scratchBytes},
          {"shared_bytes", entry.sharedBytes}};
}

Json toJson(const bench::CompileBenchResult &result, const bench::LookupTime &lookup) {
  Json rows = Json::array();
  for (const bench::CompileBenchRow &row : result.rows)
    rows.push_back({{"op", row.op},
                    {"dtype", row.dtype},
                    {"shape", row.shape},
                    {"config", row.config},
                    {"ms", row.ms},
                    {"cpu_ms", row.cpuMs},
                    {"ptxas_ms", row.ptxasMs},
                    {"ptxas_cpu_ms", row.ptxasCpuMs},
                    {"disk_ms", row.diskMs},
                    {"general", resourcesOf(row.general)},
                    {"aligned", resourcesOf(row.aligned)},
                    {"stage_ms", stagesOf(row)}});
  using Row = bench::CompileBenchRow;
  auto quantiles = [&](std::initializer_list<double Row::*> fields) {
    return Json{{"p50", result.quantile(0.5, fields)},
                {"p95", result.quantile(0.95, fields)},
                {"max", result.quantile(1, fields)}};
  };
  return {{"target", result.target},
          {"kernels", result.rows.size()},
          {"ptxas", result.ptxas.empty() ? Json() : Json(result.ptxas)},
          {"ms", quantiles({&Row::ms})},
          {"cpu_ms", quantiles({&Row::cpuMs})},
          {"with_ptxas_ms", quantiles({&Row::ms, &Row::ptxasMs})},
          {"with_ptxas_cpu_ms", quantiles({&Row::cpuMs, &Row::ptxasCpuMs})},
          {"disk_ms", quantiles({&Row::diskMs})},
          {"lookup_ns", {{"median", lookup.median}, {"min", lookup.min}}},
          {"rows", rows}};
}

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

void printRow(const bench::CompileBenchRow &row) {
  std::string stages;
  for (const StageTime &stage : row.stages)
    stages += (stages.empty() ? "" : ", ") + stage.stage + " " + number(stage.ms);
  print(padded(row.op, 16) + padded(row.dtype, 5) + padded(row.shape, 36) + " " + number(row.ms) + " ms  (" + stages +
        ")\n");
  (void)flushOutput();
}

Status benchCompile(const Options &options) {
  bench::CompileBenchOptions bench = options.bench;
  ops::OpRequest request = TESSERA_TRY(options.request.read());
  bench.dtype = request.dtype;
  bench.config = request.config;
  bench.sizes = request.sizes;
  InterruptGuard guard;
  bench::CompileBenchResult result = TESSERA_TRY(bench::benchCompile(bench, [&](const bench::CompileBenchRow &row) {
    if (options.json)
      log(row.op + " " + row.dtype + " " + row.shape);
    else
      printRow(row);
    return !guard.interrupted();
  }));
  bench::LookupTime lookup = TESSERA_TRY(bench::timeLookup());
  if (options.json)
    printJson(toJson(result, lookup));
  else
    print(std::to_string(result.rows.size()) + " kernels for " + result.target + ", cold: p50 " +
          number(result.quantile(0.5)) + " ms, p95 " + number(result.quantile(0.95)) + " ms, most " +
          number(result.quantile(1)) + " ms; from memory: " + number(lookup.median) + " ns (least " +
          number(lookup.min) + ")\n");
  if (guard.interrupted())
    return ioError("interrupted after " + std::to_string(result.rows.size()) + " kernels");
  return {};
}
} // namespace

void addBenchCompile(CLI::App &bench, Run &run) {
  CLI::App *command =
      bench.add_subcommand("compile", "How long kernels take to compile with no cache, and to find again.");
  command->footer(
      "Examples:\n  tessera bench compile --library\n  tessera bench compile --op attention --target cpu-avx2 --json\n"
      "  tessera bench compile --library --target a100");
  auto options = std::make_shared<Options>();
  CLI::Option *op = command->add_option("--op", options->bench.op, "One op, at its bench shapes");
  CLI::Option *library = command->add_flag("--library", options->library, "Every op, dtype and bench shape");
  op->excludes(library);
  options->request.addTo(*command);
  command
      ->add_option("--target", options->bench.target,
                   "A chip: cpu, a row of it such as cpu-avx2, or a GPU such as a100; compiled for, not run on")
      ->capture_default_str();
  command
      ->add_option(
          "--ptxas", options->bench.ptxas,
          "NVIDIA's assembler after each compilation: a path, none, or \"\" for the one on PATH or in CUDA_HOME")
      ->capture_default_str();
  command->add_option("--repeats", options->bench.repeats, "Compilations a kernel, of which the fastest counts")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &run] {
    if (op->empty() && library->empty())
      throw CLI::RequiredError("--op or --library");
    run = [options] { return benchCompile(*options); };
  });
}

} // namespace tessera::cli
