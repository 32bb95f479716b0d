#include "compiler/compile.h"
#include "cli/asm_statistics.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/request.h"
#include "ops/all.h"
#include <cstdio>
#include <memory>
#include <unistd.h>

namespace tessera::cli {

namespace {
struct Options {
  std::string op, target = "cpu", emit, output;
  RequestFlags request;
  bool listOps = false, json = false, explain = false;
};

void listOps(bool json) {
  Json list = Json::array();
  for (const ops::OpInfo &op : ops::all()) {
    Json row = {{"op", op.name}, {"dtypes", Json::array()}, {"configs", Json::array()}, {"targets", Json::array()}};
    for (DType dtype : op.dtypes)
      row["dtypes"].push_back(name(dtype));
    for (const Target &target : targets()) {
      row["targets"].push_back(target.name);
      std::string config = op.defaultConfig({}, target);
      if (std::find(row["configs"].begin(), row["configs"].end(), Json(config)) == row["configs"].end())
        row["configs"].push_back(config);
    }
    row["sizes"] = op.sizes;
    list.push_back(row);
  }
  if (json) {
    printJson({{"ops", list}});
    return;
  }
  for (const Json &row : list) {
    std::string name = row["op"], dtypes, sizes;
    name.resize(std::max<size_t>(name.size(), 14), ' ');
    for (const Json &dtype : row["dtypes"])
      dtypes += " " + dtype.get<std::string>();
    for (const auto &[key, value] : row["sizes"].items())
      sizes += " " + key + "=" + value.dump();
    print(name + "dtypes" + dtypes + "; config " + row["configs"][0].get<std::string>() + "; default shape" + sizes +
          "\n");
  }
}

struct Compiled {
  Program program;
  Artifact artifact;
  CompileReport report;

  std::string_view stage(std::string_view name) const {
    for (const auto &[stage, text] : report.dumps)
      if (stage == name)
        return text;
    return {};
  }
};

Status writeFile(const std::string &path, std::string_view bytes) {
  std::FILE *file = std::fopen(path.c_str(), "wb");
  bool isWritten = file && std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  if (file && std::fclose(file) != 0)
    isWritten = false;
  return isWritten ? Status() : Status(ioError(path + ": cannot be written"));
}

Status emit(const Options &options, const Compiled &compiled) {
  std::string_view bytes = options.emit == "binary" ? compiled.artifact.bytes : compiled.stage(options.emit);
  if (bytes.empty())
    return unsupported("--emit " + options.emit + ": this target has no such stage");
  if (!options.output.empty())
    return writeFile(options.output, bytes);
  print(bytes);
  return {};
}

// What a CPU's object says of itself; of PTX only a driver knows the registers.
void addCpuResources(Json &json, const Compiled &compiled) {
  AsmStatistics statistics = countInstructions(compiled.stage("asm"));
  json["registers"] = statistics.vectorRegisters;
  json["spill_bytes"] = compiled.artifact.resources.spillBytes;
  json["shared_bytes"] = compiled.artifact.resources.scratchBytes;
  json["instructions"] = Json::object();
  for (const auto &[kind, count] : statistics.counts)
    json["instructions"][kind] = count;
}

Json toJson(const Options &options, const Compiled &compiled, const Target &target) {
  Json json = {{"op", options.op},
               {"target", compiled.artifact.target},
               {"config", compiled.program.config},
               {"binary_bytes", compiled.artifact.bytes.size()},
               {"stage_ms", Json::object()},
               {"remarks", Json::array()}};
  if (target.vendor == Vendor::cpu) {
    addCpuResources(json, compiled);
  } else {
    json["threads"] = compiled.artifact.block.threads[0];
    json["shared_bytes"] = compiled.artifact.block.dynamicSharedBytes;
  }
  for (const StageTime &stage : compiled.report.stages)
    json["stage_ms"][stage.stage] = stage.ms;
  for (const Remark &remark : compiled.report.remarks)
    json["remarks"].push_back({{"file", remark.file}, {"line", remark.line}, {"text", remark.text}});
  return json;
}

void explainCpu(const Json &json, const Target &target) {
  std::string counts;
  for (const auto &[kind, count] : json["instructions"].items())
    counts += (counts.empty() ? "" : ", ") + kind + " " + count.dump();
  log("  vectors of " + std::to_string(target.vectorBytes * 8) +
      " bits; vector registers used: " + json["registers"].dump() + " of " + std::to_string(target.registers) +
      "; stack " + json["shared_bytes"].dump() + " bytes, spills " + json["spill_bytes"].dump() + " bytes");
  log("  instructions: " + counts);
}

void explain(const Json &json, const Target &target) {
  log(json["op"].get<std::string>() + " (" + json["config"].get<std::string>() + ") for " + std::string(target.name));
  if (target.vendor == Vendor::cpu)
    explainCpu(json, target);
  else
    log("  blocks of " + json["threads"].dump() + " threads; shared memory " + json["shared_bytes"].dump() + " of " +
        std::to_string(target.gpu.sharedBytes) + " bytes; compiled for any rows, then for rows aligned to 16 bytes");
  for (const Json &remark : json["remarks"])
    log("  " + remark["file"].get<std::string>() + ":" + remark["line"].dump() + ": " +
        remark["text"].get<std::string>());
}

Status compileOp(const Options &options) {
  if (options.listOps) {
    listOps(options.json);
    return {};
  }
  const Target *target = TESSERA_TRY(findTarget(options.target));
  const ops::OpInfo *op = TESSERA_TRY(ops::findOp(options.op));
  ops::OpRequest request = TESSERA_TRY(options.request.read());
  Compiled compiled{.program = TESSERA_TRY(op->trace(request, *target))};
  compiled.report.keep = {"asm"};
  if (!options.emit.empty() && options.emit != "binary" && options.emit != "asm")
    compiled.report.keep.push_back(options.emit);
  compiled.artifact = TESSERA_TRY(compile(compiled.program, *target, {}, &compiled.report));

  Json json = toJson(options, compiled, *target);
  if (options.explain)
    explain(json, *target);
  if (!options.emit.empty() && (!options.json || !options.output.empty()))
    TESSERA_TRY(emit(options, compiled));
  else if (!options.output.empty())
    TESSERA_TRY(writeFile(options.output, compiled.artifact.bytes));
  if (options.json)
    printJson(json);
  else if (options.emit.empty())
    print(options.op + " (" + compiled.program.config + ") for " + compiled.artifact.target + ": " +
          std::to_string(compiled.artifact.bytes.size()) + " bytes\n");
  return {};
}
} // namespace

void addCompile(CLI::App &app, Run &run) {
  CLI::App *command = app.add_subcommand("compile", "Compiles an op for a chip; no device is needed.");
  command->footer(
      "Examples:\n  tessera compile --list-ops\n  tessera compile --op gemm --dtype f16 --target cpu --emit asm\n"
      "  tessera compile --op quant_matmul --config bm=8,bn=16 --target cpu-avx2 --emit binary -o kernel.o\n"
      "TESSERA_DUMP=tile,layout,llvm,asm:directory writes the stages of every kernel, in every command.");
  auto options = std::make_shared<Options>();
  CLI::Option *op = command->add_option("--op", options->op, "The op; see --list-ops");
  options->request.addTo(*command);
  command->add_option("--target", options->target, "A chip: cpu, a row of it such as cpu-avx2, or a GPU such as a100")
      ->capture_default_str();
  command->add_option("--emit", options->emit, "tile, layout, llvm, asm or binary")
      ->check(CLI::IsMember({"tile", "layout", "llvm", "asm", "binary"}));
  command->add_option("-o,--output", options->output, "File to write; without --emit it gets the binary");
  CLI::Option *list = command->add_flag("--list-ops", options->listOps, "Lists the ops with their types and configs");
  command->add_flag("--explain", options->explain, "Says on standard error how it was compiled, by user line");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &run] {
    if (op->empty() && list->empty())
      throw CLI::RequiredError("--op or --list-ops");
    run = [options] { return compileOp(*options); };
  });
}

} // namespace tessera::cli
