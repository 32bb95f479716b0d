#include "compiler/compile.h"
#include "cli/asm_statistics.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/request.h"
#include "compiler/assembler.h"
#include "ops/all.h"
#include <chrono>
#include <cstdio>
#include <memory>
#include <unistd.h>

namespace tessera::cli {

namespace {
struct Options {
  std::string op, target = "cpu", emit, output, ptxas;
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
  std::optional<Assembler> assembler = std::nullopt;

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

Status emit(const Options &options, const Compiled &compiled, const Target &target) {
  const Artifact &artifact = compiled.artifact;
  bool isNvidia = target.vendor == Vendor::nvidia;
  std::string_view bytes = compiled.stage(options.emit);
  if (options.emit == "binary")
    bytes = isNvidia ? artifact.cubin : artifact.bytes;
  if (bytes.empty() && isNvidia && options.emit == "binary")
    return unsupported("--emit binary: a cubin takes NVIDIA's ptxas, which is neither on PATH nor in CUDA_HOME nor "
                       "given with --ptxas; --emit asm writes the PTX, which runs as well");
  if (bytes.empty())
    return unsupported("--emit " + options.emit + ": this target has no such stage");
  if (!options.output.empty())
    return writeFile(options.output, bytes);
  print(bytes);
  return {};
}

Json countsOf(const std::vector<std::pair<std::string, int64_t>> &counts) {
  Json json = Json::object();
  for (const auto &[kind, count] : counts)
    json[kind] = count;
  return json;
}

// What a CPU's object says of itself.
void addCpuResources(Json &json, const Compiled &compiled) {
  AsmStatistics statistics = countInstructions(compiled.stage("asm"));
  json["registers"] = statistics.vectorRegisters;
  json["spill_bytes"] = compiled.artifact.resources.spillBytes;
  json["shared_bytes"] = compiled.artifact.resources.scratchBytes;
  json["instructions"] = countsOf(statistics.counts);
}

// Registers, spills and stack are the assembler's to tell: null where there is none. The fields beside "entries" are
// the most that an entry takes; the instructions are those of the entry for aligned tensors.
void addGpuResources(Json &json, const Compiled &compiled) {
  const Artifact &artifact = compiled.artifact;
  std::string_view ptx = compiled.stage("asm");
  json["threads"] = artifact.block.threads[0];
  json["ptxas"] = compiled.assembler ? Json(compiled.assembler->version) : Json();
  json["registers"] = json["spill_bytes"] = json["stack_bytes"] = Json();
  json["shared_bytes"] = artifact.block.dynamicSharedBytes;
  json["entries"] = Json::array();
  auto add = [&](const std::string &entry, const ResourceReport &resources) {
    Json row = {{"entry", entry}, {"instructions", countsOf(countPtx(ptx, entry))}};
    json["instructions"] = row["instructions"];
    auto tell = [&](const char *what, int64_t value) {
      bool known = resources.registers >= 0;
      row[what] = known ? Json(value) : Json();
      if (known)
        json[what] = json[what].is_null() ? value : std::max(json[what].get<int64_t>(), value);
    };
    tell("registers", resources.registers);
    tell("spill_bytes", resources.spillBytes);
    tell("stack_bytes", resources.scratchBytes);
    json["entries"].push_back(row);
  };
  add(artifact.entry, artifact.resources);
  if (!artifact.alignedEntry.empty())
    add(artifact.alignedEntry, artifact.alignedResources);
}

Json toJson(const Options &options, const Compiled &compiled, const Target &target) {
  Json json = {{"op", options.op},
               {"target", compiled.artifact.target},
               {"config", compiled.program.config},
               {"binary_bytes", compiled.artifact.bytes.size()},
               {"stage_ms", Json::object()},
               {"remarks", Json::array()}};
  if (target.vendor == Vendor::cpu)
    addCpuResources(json, compiled);
  else
    addGpuResources(json, compiled);
  for (const StageTime &stage : compiled.report.stages)
    json["stage_ms"][stage.stage] = stage.ms;
  for (const Remark &remark : compiled.report.remarks)
    json["remarks"].push_back({{"file", remark.file}, {"line", remark.line}, {"text", remark.text}});
  return json;
}

std::string countsText(const Json &instructions) {
  std::string text;
  for (const auto &[kind, count] : instructions.items())
    if (count != 0)
      text += (text.empty() ? "" : ", ") + kind + " " + count.dump();
  return text;
}

void explainCpu(const Json &json, const Target &target) {
  log("  vectors of " + std::to_string(target.vectorBytes * 8) +
      " bits; vector registers used: " + json["registers"].dump() + " of " + std::to_string(target.registers) +
      "; stack " + json["shared_bytes"].dump() + " bytes, spills " + json["spill_bytes"].dump() + " bytes");
  log("  instructions: " + countsText(json["instructions"]));
}

void explainGpu(const Json &json, const Target &target) {
  log("  blocks of " + json["threads"].dump() + " threads; shared memory " + json["shared_bytes"].dump() + " of " +
      std::to_string(target.gpu.sharedBytes) + " bytes");
  if (json["ptxas"].is_null())
    log("  registers and spills: unknown, no ptxas is at hand (--ptxas)");
  for (const Json &entry : json["entries"]) {
    bool isAligned = json["entries"].size() > 1 && entry == json["entries"].back();
    std::string resources = entry["registers"].is_null()
                                ? ""
                                : "; registers " + entry["registers"].dump() + " of 255, spills " +
                                      entry["spill_bytes"].dump() + " bytes, stack " + entry["stack_bytes"].dump() +
                                      " bytes";
    log("  " + std::string(isAligned ? "for rows aligned to 16 bytes" : "for any rows") + resources +
        "; instructions: " + countsText(entry["instructions"]));
  }
}

void explain(const Json &json, const Target &target) {
  log(json["op"].get<std::string>() + " (" + json["config"].get<std::string>() + ") for " + std::string(target.name));
  if (target.vendor == Vendor::cpu)
    explainCpu(json, target);
  else
    explainGpu(json, target);
  for (const Json &remark : json["remarks"])
    log("  " + remark["file"].get<std::string>() + ":" + remark["line"].dump() + ": " +
        remark["text"].get<std::string>());
}

// With the assembler that there is. One that was only found may fail: the PTX is there.
Status assembleFor(const Options &options, const Target &target, Compiled &compiled) {
  compiled.assembler = TESSERA_TRY(findAssembler(options.ptxas));
  if (!compiled.assembler)
    return {};
  auto start = std::chrono::steady_clock::now();
  Status assembled = assemble(*compiled.assembler, target, compiled.artifact);
  if (!assembled && compiled.assembler->named)
    return assembled;
  if (!assembled) {
    log("tessera: " + assembled.error().message + "; registers and spills stay unknown");
    compiled.assembler.reset();
    return {};
  }
  std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  compiled.report.stages.push_back({"ptxas", took.count()});
  return {};
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
  if (target->vendor == Vendor::nvidia)
    TESSERA_TRY(assembleFor(options, *target, compiled));

  Json json = toJson(options, compiled, *target);
  if (options.explain)
    explain(json, *target);
  if (!options.emit.empty() && (!options.json || !options.output.empty()))
    TESSERA_TRY(emit(options, compiled, *target));
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
  command->add_option("--ptxas", options->ptxas,
                      "NVIDIA's assembler, which makes a cubin and tells registers: a path, or none; left out, the one "
                      "on PATH or in CUDA_HOME where there is one");
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
