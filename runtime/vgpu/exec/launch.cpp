#include "runtime/vgpu/exec/launch.h"
#include "runtime/vgpu/model/calibration.h"

#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <map>
#include <thread>

namespace tessera::vgpu {
namespace {

// Without a cache there is no telling L2 hits from DRAM reads: every global sector is charged to both.
double modelUs(const Launch &launch, const Report &r) {
  const auto pipe = [&](Pipe p) { return double(r.pipes[size_t(p)]); };
  Counts counts;
  counts.fma = pipe(Pipe::fma);
  counts.half = pipe(Pipe::half);
  counts.integer = pipe(Pipe::alu) + pipe(Pipe::convert);
  counts.special = pipe(Pipe::special);
  counts.fp64 = pipe(Pipe::wide);
  counts.memory = pipe(Pipe::global) + pipe(Pipe::shared) + pipe(Pipe::local) + pipe(Pipe::atomic);
  counts.other = pipe(Pipe::control) + pipe(Pipe::tensor) + pipe(Pipe::sync);
  counts.sharedWavefronts = double(r.sharedWavefronts);
  counts.l2Bytes = counts.dramBytes = double(r.globalSectors) * 32;
  counts.tensorFlop[size_t(TensorType::f16)] = r.tensorWork; // weighed already
  const LaunchShape shape{double(launch.blocks()), launch.threads(), launch.program->resources.registers,
                          uint32_t(launch.program->dynamicSharedOffset + launch.dynamicShared)};
  return estimate(*launch.chip, calibrationOf(launch.chip->id).constants, shape, counts).microseconds;
}
} // namespace

Report runLaunch(Launch &launch) {
  const Program &program = *launch.program;
  uint64_t blocks = launch.blocks();
  uint64_t gang = launch.cooperative ? blocks : uint64_t(launch.cluster[0]) * launch.cluster[1] * launch.cluster[2];
  uint64_t gangs = blocks / gang;
  uint32_t threads =
      launch.options.threads ? launch.options.threads : std::max(1u, std::thread::hardware_concurrency());
  // Where the order of blocks can be observed, one worker runs them in order, so that a run is repeatable.
  if (program.usesAtomics && !launch.options.randomSchedule)
    threads = 1;
  threads = uint32_t(std::min<uint64_t>(threads, gangs));
  std::atomic<uint64_t> next{0};
  std::deque<Worker> workers(threads);
  auto work = [&](Worker &worker, uint64_t seed) {
    worker.launch = &launch;
    worker.counts.assign(program.code.size(), {});
    worker.random = launch.options.seed * 0x9E3779B97F4A7C15ull + seed;
    for (uint64_t g; !launch.stop && (g = next++) < gangs;)
      worker.runGang(g * gang, gang);
  };
  std::vector<std::thread> others;
  for (uint32_t t = 1; t < threads; ++t)
    others.emplace_back([&, t] { work(workers[t], t); });
  work(workers[0], 0);
  for (std::thread &t : others)
    t.join();

  Report report;
  report.counts.assign(program.code.size(), {});
  for (const Worker &w : workers) {
    report.threadInstructions += w.threadInstructions;
    report.warpInstructions += w.warpInstructions;
    for (size_t i = 0; i < w.counts.size(); ++i) {
      const OpCount &from = w.counts[i];
      OpCount &to = report.counts[i];
      to.issues += from.issues;
      to.lanes += from.lanes;
      to.skipped += from.skipped;
      to.transactions += from.transactions;
      to.ideal += from.ideal;
      to.bytes += from.bytes;
    }
  }
  for (size_t i = 0; i < program.code.size(); ++i) {
    const OpCount &c = report.counts[i];
    Pipe pipe = program.code[i].pipe;
    report.pipes[size_t(pipe)] += c.issues;
    if (pipe == Pipe::tensor) {
      double flop = double(c.issues) * double(program.code[i].imm);
      report.tensorFlop += flop;
      report.tensorWork += flop * program.code[i].bytes / 16;
    }
    if (pipe == Pipe::global) {
      report.globalSectors += c.transactions;
      report.globalBytes += c.bytes;
    } else if (pipe == Pipe::shared) {
      report.sharedWavefronts += c.transactions;
      report.sharedIdeal += c.ideal;
    }
  }
  report.occupancy = occupancyOf(program, *launch.chip, launch.threads(), launch.dynamicShared);
  report.modelledUs = modelUs(launch, report);
  return report;
}

std::string describe(const Launch &launch, const Report &r) {
  char line[256];
  std::string out;
  const Program &program = *launch.program;
  std::snprintf(line, sizeof line, "%s on %.*s: %" PRIu64 " blocks of %u threads, %u blocks per SM\n",
                program.name.c_str(), int(launch.chip->name.size()), launch.chip->name.data(), launch.blocks(),
                launch.threads(), r.occupancy.blocksPerSm);
  out += line;
  std::snprintf(line, sizeof line, "  modelled %.2f us; %" PRIu64 " warp instructions, %.1f lanes active\n",
                r.modelledUs, r.warpInstructions,
                r.warpInstructions ? double(r.threadInstructions) / double(r.warpInstructions) : 0.0);
  out += line;
  std::snprintf(line, sizeof line,
                "  global: %" PRIu64 " bytes asked, %" PRIu64 " sectors; shared: %" PRIu64 " wavefronts, %" PRIu64
                " without conflicts\n",
                r.globalBytes, r.globalSectors, r.sharedWavefronts, r.sharedIdeal);
  out += line;
  // Cost by source line (PTX line where there is no .loc).
  std::map<std::pair<uint32_t, uint32_t>, OpCount> byLine;
  for (size_t i = 0; i < program.code.size(); ++i) {
    const Source &s = program.sources[program.code[i].source];
    std::pair<uint32_t, uint32_t> key{0, s.line};
    if (s.loc >= 0)
      key = {program.module->locations[size_t(s.loc)].file, program.module->locations[size_t(s.loc)].line};
    OpCount &c = byLine[key];
    c.issues += r.counts[i].issues;
    c.transactions += r.counts[i].transactions;
    c.ideal += r.counts[i].ideal;
  }
  std::vector<std::pair<std::pair<uint32_t, uint32_t>, OpCount>> hot(byLine.begin(), byLine.end());
  std::sort(hot.begin(), hot.end(), [](const auto &a, const auto &b) {
    return a.second.issues + a.second.transactions > b.second.issues + b.second.transactions;
  });
  for (size_t i = 0; i < hot.size() && i < 12 && hot[i].second.issues; ++i) {
    auto file = program.module->files.find(hot[i].first.first);
    std::snprintf(line, sizeof line, "  %12" PRIu64 " issues %12" PRIu64 " transactions (%" PRIu64 " ideal)  %s:%u\n",
                  hot[i].second.issues, hot[i].second.transactions, hot[i].second.ideal,
                  file == program.module->files.end() ? "PTX" : file->second.c_str(), hot[i].first.second);
    out += line;
  }
  return out;
}

} // namespace tessera::vgpu
