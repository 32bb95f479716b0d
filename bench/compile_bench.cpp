#include "bench/compile_bench.h"
#include "base/child_process.h"
#include "bench/op_cases.h"
#include "compiler/assembler.h"
#include "runtime/disk_cache.h"
#include "runtime/engine.h"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>
#include <sys/resource.h>

namespace tessera::bench {

using Clock = std::chrono::steady_clock;
static double milliseconds(Clock::duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// Processor time of this thread, or of the programs that it ran.
static double cpuMs(int whose) {
  rusage usage = {};
  getrusage(whose, &usage);
  auto ms = [](const timeval &time) { return double(time.tv_sec) * 1e3 + double(time.tv_usec) / 1e3; };
  return ms(usage.ru_utime) + ms(usage.ru_stime);
}

double CompileBenchResult::quantile(double share, std::initializer_list<double CompileBenchRow::*> fields) const {
  std::vector<double> ms;
  for (const CompileBenchRow &row : rows) {
    double sum = 0;
    for (auto field : fields)
      sum += row.*field;
    ms.push_back(sum);
  }
  std::ranges::sort(ms);
  size_t count = size_t(std::ceil(share * double(ms.size())));
  return ms.empty() ? 0 : ms[std::clamp<size_t>(count, 1, ms.size()) - 1];
}

namespace {
// What all kernels of a run share. `device` links, and may be null.
struct Run {
  const Target &target;
  const Device *device;
  std::optional<Assembler> assembler;
  DiskCache disk;
};
} // namespace

// Stores the artifact and finds it again, as an engine of another process would.
static Result<double> timeDisk(Run &run, const Program &program, const Artifact &artifact) {
  std::string version = run.assembler ? run.assembler->version : "";
  run.disk.store(cacheKey(program, run.target, {}, version), artifact);
  Clock::time_point start = Clock::now();
  std::optional<Artifact> found = run.disk.load(cacheKey(program, run.target, {}, version));
  double ms = milliseconds(Clock::now() - start);
  if (!found || *found != artifact)
    return internalError("kernel '" + program.signature.name + "' was not found in the cache again");
  return ms;
}

// The wall time of each stage and their sum.
static Result<CompileBenchRow> compileOnce(const ops::OpInfo &op, const ops::OpRequest &request, Run &run) {
  const Target &target = run.target;
  const Device *device = run.device;
  CompileBenchRow row{.op = std::string(op.name), .dtype = std::string(name(*request.dtype))};
  double cpu = cpuMs(RUSAGE_THREAD);
  Clock::time_point start = Clock::now();
  Program program = TESSERA_TRY(op.trace(request, target));
  Clock::time_point traced = Clock::now();
  CompileReport report;
  Artifact artifact = TESSERA_TRY(compile(program, target, {}, &report));
  Clock::time_point compiled = Clock::now();
  if (device)
    (void)TESSERA_TRY(
        LoadedKernel::load(std::shared_ptr<driver::Driver>(std::shared_ptr<void>(), &device->impl()), artifact));
  Clock::time_point linked = device ? Clock::now() : compiled;
  row.config = program.config;
  row.ms = milliseconds(linked - start);
  row.cpuMs = cpuMs(RUSAGE_THREAD) - cpu;
  if (run.assembler) {
    double others = cpuMs(RUSAGE_CHILDREN);
    TESSERA_TRY(assemble(*run.assembler, target, artifact));
    row.ptxasMs = milliseconds(Clock::now() - linked);
    row.ptxasCpuMs = cpuMs(RUSAGE_CHILDREN) - others;
    row.general = artifact.resources, row.aligned = artifact.alignedResources;
  }
  row.diskMs = TESSERA_TRY(timeDisk(run, program, artifact));
  row.stages = {{"trace", milliseconds(traced - start)}};
  double rest = milliseconds(compiled - traced);
  for (const StageTime &stage : report.stages) {
    rest -= stage.ms;
    row.stages.push_back(stage);
  }
  row.stages.push_back({"other", rest}); // between the compiler's stages: its start, and what interrupted it
  if (device)
    row.stages.push_back({"link", milliseconds(linked - compiled)});
  return row;
}

Result<CompileBenchResult> benchCompile(const CompileBenchOptions &options,
                                        const std::function<bool(const CompileBenchRow &)> &done) {
  const Target &target = *TESSERA_TRY(findTarget(options.target));
  std::optional<Device> device;
  if (hostCanRun(target))
    device = TESSERA_TRY(Device::open(target.name, {.threads = 1}));
  if (!options.op.empty())
    (void)TESSERA_TRY(ops::findOp(options.op));
  std::optional<Assembler> assembler;
  if (target.vendor == Vendor::nvidia)
    assembler = TESSERA_TRY(findAssembler(options.ptxas));
  ScratchFolder scratch;
  Run run{target, device ? &*device : nullptr, std::move(assembler), DiskCache(scratch.path)};
  CompileBenchResult result{.target = std::string(target.name), .ptxas = run.assembler ? run.assembler->version : ""};
  std::set<std::string> seen; // shapes that differ in symbolic sizes alone are one kernel
  for (const ops::OpInfo &op : ops::all()) {
    if (!options.op.empty() && op.name != options.op)
      continue;
    std::vector<DType> dtypes = dtypesOf(op, target);
    if (options.dtype)
      dtypes = {*options.dtype};
    for (DType dtype : dtypes)
      for (const ops::Sizes &sizes : options.sizes.empty() ? casesOf(op, dtype) : std::vector{options.sizes}) {
        ops::OpRequest request{dtype, options.config, sizes};
        if (!seen.insert(TESSERA_TRY(op.trace(request, target)).fingerprint).second)
          continue;
        std::optional<CompileBenchRow> best;
        for (int repeat = 0; repeat < options.repeats; ++repeat) {
          CompileBenchRow row = TESSERA_TRY(compileOnce(op, request, run));
          if (!best || row.ms < best->ms)
            best = std::move(row);
        }
        best->shape = shapeText(sizesOf(op, sizes));
        result.rows.push_back(*best);
        if (!done(*best))
          return result;
      }
  }
  return result;
}

Result<LookupTime> timeLookup() {
  Device device = TESSERA_TRY(Device::open("cpu", {.threads = 1}));
  std::filesystem::path cache = std::filesystem::temp_directory_path() / "tessera-lookup-bench";
  Engine engine(device, {.cacheDir = cache.string()});
  const ops::OpInfo *op = TESSERA_TRY(ops::findOp("rms_norm"));
  Program program = TESSERA_TRY(op->trace({op->dtypes[0], "", {}}, device.target()));
  (void)TESSERA_TRY(engine.load(program));
  std::error_code ignored;
  std::filesystem::remove_all(cache, ignored);
  constexpr int perSample = 1000;
  std::vector<double> ns;
  for (int sample = 0; sample < 200; ++sample) {
    Clock::time_point start = Clock::now();
    for (int i = 0; i < perSample; ++i)
      (void)TESSERA_TRY(engine.load(program));
    ns.push_back(milliseconds(Clock::now() - start) * 1e6 / perSample);
  }
  std::ranges::sort(ns);
  return LookupTime{ns.front(), ns[ns.size() / 2]};
}

} // namespace tessera::bench
