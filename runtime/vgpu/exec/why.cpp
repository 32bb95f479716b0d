#include "runtime/vgpu/exec/why.h"
#include "runtime/vgpu/ptx/parser.h"
#include <algorithm>
#include <cstdarg>
#include <map>

namespace tessera::vgpu {
namespace {

[[gnu::format(printf, 1, 2)]] std::string format(const char *pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  const int length = std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return std::string(text, size_t(std::clamp(length, 0, int(sizeof text) - 1)));
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

// The resources of the estimate and what each operation uses of them, in units of its own.
enum Resource { issue, fma, integer, special, fp64, tensor, shared, l2, dram, waits, resources };
constexpr std::string_view resourceNames[] = {"issue",  "fma",    "integer", "special", "fp64",
                                              "tensor", "shared", "L2",      "DRAM",    "waits"};
using Use = std::array<double, resources>;

Use useOf(const Program &program, size_t operation, const Report &r) {
  const Op &op = program.code[operation];
  const OpCount &c = r.counts[operation];
  Use use{};
  use[issue] = double(c.issues);
  use[fma] = op.pipe == Pipe::fma || op.pipe == Pipe::half ? double(c.issues) : 0;
  use[integer] = op.pipe == Pipe::alu || op.pipe == Pipe::convert ? double(c.issues) : 0;
  use[special] = op.pipe == Pipe::special ? double(c.issues) : 0;
  use[fp64] = op.pipe == Pipe::wide ? double(c.issues) : 0;
  use[tensor] = op.pipe == Pipe::tensor ? double(c.issues) * double(op.imm) : 0;
  use[shared] = double(c.wavefronts);
  use[l2] = use[dram] = double(c.l2);
  use[waits] = operation < r.paces.byOperation.size() ? double(r.paces.byOperation[operation].time) : 0;
  return use;
}

// Microseconds of the whole launch that each resource is busy; waits: of the average warp.
Use timesOf(const Report &r) {
  const Estimate &e = r.estimate;
  double waited = 0;
  for (const WaitCount &w : r.paces.waits)
    waited += double(w.time);
  const double busy = std::max(0.0, e.microseconds - e.launch);
  return {e.issue,  e.fma,    e.integer, e.special, e.fp64,
          e.tensor, e.shared, e.l2,      e.dram,    busy * ratio(waited, double(r.paces.warpTime))};
}

std::string whyOf(const LineCost &line) {
  std::string text;
  auto say = [&](const std::string &more) { text += (text.empty() ? "" : "; ") + more; };
  const OpCount &c = line.count;
  if (double(c.sectors) > 1.5 * double(c.idealSectors))
    say(format("%.1f sectors a request where %.1f would do: lanes do not touch neighbouring addresses",
               ratio(double(c.sectors), double(line.globalRequests)),
               ratio(double(c.idealSectors), double(line.globalRequests))));
  if (double(c.wavefronts) > 1.5 * double(c.idealWavefronts))
    say(format("%.1f-way bank conflicts", ratio(double(c.wavefronts), double(c.idealWavefronts))));
  const bool isMemory =
      line.bound == "L2" || line.bound == "DRAM" || line.bound == "shared"; // lanes cost nothing there
  if (const double active = ratio(double(c.lanes), double(c.issues)); c.issues && active < 24 && !isMemory)
    say(format("%.1f of 32 lanes are active", active));
  if (line.wait.waits)
    say(format("warps wait %.0f clocks a time", double(line.wait.time) / double(line.wait.waits) / Pace::unit));
  return text;
}

std::string sourceOf(const Program &program, const Source &s) {
  if (s.loc < 0)
    return "";
  const ptx::Location &at = program.module->locations[size_t(s.loc)];
  const auto file = program.module->files.find(at.file);
  return (file == program.module->files.end() ? "file " + std::to_string(at.file) : file->second) + ":" +
         std::to_string(at.line);
}

template <class Key, class KeyOf>
std::vector<LineCost> costBy(const Launch &launch, const Report &report, KeyOf keyOf) {
  const Program &program = *launch.program;
  struct Sum {
    LineCost line;
    Use use{};
  };
  std::map<Key, Sum> lines;
  Use total{};
  for (size_t i = 0; i < program.code.size() && i < report.counts.size(); ++i) {
    const Use use = useOf(program, i, report);
    for (size_t k = 0; k < resources; ++k)
      total[k] += use[k];
    const Source &source = program.sources[program.code[i].source];
    const OpCount &c = report.counts[i];
    if (!c.issues || (std::is_same_v<Key, std::string> && sourceOf(program, source).empty()))
      continue;
    Sum &sum = lines[keyOf(source)];
    if (!sum.line.ptxLine || source.line < sum.line.ptxLine)
      sum.line.ptxLine = source.line;
    sum.line.source = sourceOf(program, source);
    if (sum.line.text.empty() && source.instruction >= 0) {
      const ptx::Function &f = program.module->functions[size_t(source.function)];
      sum.line.text = ptx::print(*program.module, f, f.body[size_t(source.instruction)]);
    }
    sum.line.count.add(c);
    if (i < report.paces.byOperation.size()) {
      sum.line.wait.waits += report.paces.byOperation[i].waits;
      sum.line.wait.time += report.paces.byOperation[i].time;
    }
    sum.line.globalRequests += c.sectors ? c.issues : 0;
    sum.line.sharedRequests += c.wavefronts ? c.issues : 0;
    for (size_t k = 0; k < resources; ++k)
      sum.use[k] += use[k];
  }
  const Use times = timesOf(report);
  std::vector<LineCost> costs;
  for (auto &[key, sum] : lines) {
    for (size_t k = 0; k < resources; ++k)
      if (const double us = times[k] * ratio(sum.use[k], total[k]); us > sum.line.us)
        sum.line.us = us, sum.line.bound = resourceNames[k];
    sum.line.why = whyOf(sum.line);
    costs.push_back(std::move(sum.line));
  }
  std::sort(costs.begin(), costs.end(),
            [](const LineCost &a, const LineCost &b) { return a.us != b.us ? a.us > b.us : a.ptxLine < b.ptxLine; });
  return costs;
}

// The most registers with which another block would fit, 0 when registers are not what keeps it out.
uint32_t registersForMore(const Launch &launch, const Report &r) {
  const Estimate &e = r.estimate;
  if (e.occupancy.limit != Limit::registers)
    return 0;
  LaunchShape shape{1, launch.threads(), launch.program->resources.registers,
                    launch.program->dynamicSharedOffset + launch.dynamicShared};
  for (; shape.registers > 16; --shape.registers)
    if (occupancy(*launch.chip, shape).blocksPerSm > e.occupancy.blocksPerSm)
      return shape.registers;
  return 0;
}
} // namespace

std::vector<LineCost> costByPtxLine(const Launch &launch, const Report &report) {
  return costBy<uint32_t>(launch, report, [](const Source &s) { return s.line; });
}
std::vector<LineCost> costBySource(const Launch &launch, const Report &report) {
  const Program &program = *launch.program;
  return costBy<std::string>(launch, report, [&](const Source &s) { return sourceOf(program, s); });
}

std::vector<std::string> remarks(const Launch &launch, const Report &r) {
  std::vector<std::string> said;
  if (!r.warpInstructions)
    return said;
  const Estimate &e = r.estimate;
  const Resources &resources = launch.program->resources;
  const std::string bound(e.bound);
  if (e.bound == "launch" || e.bound == "latency")
    said.push_back(format("The launch itself and the start of its blocks take %.0f %% of the time: the kernel is too "
                          "small for the chip",
                          100 * ratio(e.launch + e.latency, e.microseconds)));
  else
    said.push_back("Bound by " + (e.bound == "dram"     ? "DRAM"
                                  : e.bound == "l2"     ? "L2"
                                  : e.bound == "shared" ? "shared memory"
                                  : e.bound == "tensor" ? "the tensor cores"
                                  : e.bound == "issue"  ? "instruction issue"
                                                        : "the " + bound + " pipe"));
  const double perSm = double(launch.blocks()) / launch.chip->sms;
  if (perSm < 1)
    said.push_back(format("%llu blocks leave %.0f of %u SMs idle", (unsigned long long)(launch.blocks()),
                          double(launch.chip->sms) - double(launch.blocks()), launch.chip->sms));
  else if (e.waves > 1 && e.quantisation > 1.15)
    said.push_back(format("The last of %.2f waves of blocks is mostly empty: %.0f %% of the SM time", e.waves,
                          100 * (1 - 1 / e.quantisation)));
  const uint32_t warps = e.occupancy.blocksPerSm * e.occupancy.warpsPerBlock, most = launch.chip->limits.warpsPerSm;
  const bool isFull = e.waves > 1; // more blocks than fit at a time
  if (const uint32_t fewer = registersForMore(launch, r); fewer && isFull && warps * 2 <= most)
    said.push_back(format("%u registers a thread leave %u of %u warps to an SM; with %u another block would fit (most "
                          "values live at PTX line %u)",
                          resources.registers, warps, launch.chip->limits.warpsPerSm, fewer, resources.peakLine));
  else if (e.occupancy.limit == Limit::shared && isFull && warps * 2 <= most)
    said.push_back(format("Shared memory (%llu bytes a block) leaves %u of %u warps to an SM",
                          (unsigned long long)(launch.program->dynamicSharedOffset + launch.dynamicShared), warps,
                          launch.chip->limits.warpsPerSm));
  if (resources.spillBytes)
    said.push_back(format("%u bytes a thread are spilled to local memory", resources.spillBytes));
  const OpCount &t = r.total;
  if (double(t.sectors) > 1.5 * double(t.idealSectors) && e.l2 + e.dram > 0.1 * e.microseconds)
    said.push_back(format("Global memory: %.1f sectors a request where %.1f would do",
                          ratio(double(t.sectors), double(r.globalRequests)),
                          ratio(double(t.idealSectors), double(r.globalRequests))));
  if (double(t.wavefronts) > 1.25 * double(t.idealWavefronts) && e.shared > 0.05 * e.microseconds)
    said.push_back(format("Shared memory: bank conflicts cost %.1f passes for one",
                          ratio(double(t.wavefronts), double(t.idealWavefronts))));
  const double again = r.traffic.reread;
  if (again > 0.2 * double(r.traffic.distinct) && e.dram > 0.1 * e.microseconds)
    said.push_back(format("L2 loses data between waves of blocks: %.1f MB of %.1f MB from DRAM are read again",
                          again / 1e6, (r.traffic.dramRead + r.traffic.dramWritten) / 1e6));
  if (const double active = ratio(double(r.threadInstructions), double(r.warpInstructions)); active < 24)
    said.push_back(format("Divergence: %.1f of 32 lanes are active in the average instruction", active));
  for (size_t k = 0; k < r.paces.waits.size(); ++k)
    if (const double share = ratio(double(r.paces.waits[k].time), double(r.paces.warpTime)); share > 0.1)
      said.push_back(
          format("Warps wait %.0f %% of their time for %s", 100 * share, std::string(nameOf(Wait(k))).c_str()));
  return said;
}

} // namespace tessera::vgpu
