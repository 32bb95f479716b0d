#include "runtime/vgpu/exec/why.h"
#include "runtime/vgpu/model/calibration.h"
#include <algorithm>
#include <cinttypes>

namespace tessera::vgpu {
namespace {

// Traffic between the SMs and L2 is what the L1 did not have; repetitions of it miss L2 now and then, by the share that
// was fitted for matrix products.
Counts modelCounts(const Report &r, const Calibration &calibration) {
  const auto pipe = [&](Pipe p) { return double(r.pipes[size_t(p)]); };
  const auto flop = [&](TensorKind k) { return r.tensorFlop[size_t(k)]; };
  Counts counts;
  counts.fma = pipe(Pipe::fma);
  counts.half = pipe(Pipe::half);
  counts.integer = pipe(Pipe::alu) + pipe(Pipe::convert);
  counts.special = pipe(Pipe::special);
  // Tensor cores do f64 at twice the rate of the f64 pipe (A100 and H100 datasheets).
  counts.fp64 = pipe(Pipe::wide) + flop(TensorKind::f64) / (2 * lanes) / 2;
  counts.memory = pipe(Pipe::global) + pipe(Pipe::shared) + pipe(Pipe::local) + pipe(Pipe::atomic);
  // An instruction whose guard is false in all lanes takes its issue slot too.
  counts.other = pipe(Pipe::control) + pipe(Pipe::tensor) + pipe(Pipe::sync) + double(r.total.skipped);
  counts.sharedWavefronts = double(r.total.wavefronts);
  counts.l2Bytes = double(r.total.l2) * 32;
  const double repeated = std::max(0.0, counts.l2Bytes - double(r.traffic.distinct));
  counts.dramBytes = r.traffic.dramRead + r.traffic.dramWritten + calibration.l2Drift * repeated;
  counts.tensorFlop[size_t(TensorType::f16)] = flop(TensorKind::f16) + flop(TensorKind::bf16);
  counts.tensorFlop[size_t(TensorType::tf32)] = flop(TensorKind::tf32);
  // Four bits run at twice, one bit at eight times the rate of eight (Turing and Ampere whitepapers).
  counts.tensorFlop[size_t(TensorType::int8)] =
      flop(TensorKind::int8) + flop(TensorKind::int4) / 2 + flop(TensorKind::b1) / 8;
  counts.tensorFlop[size_t(TensorType::fp8)] = flop(TensorKind::fp8);
  return counts;
}
} // namespace

void OpCount::add(const OpCount &o) {
  issues += o.issues, lanes += o.lanes, skipped += o.skipped, bytes += o.bytes;
  sectors += o.sectors, idealSectors += o.idealSectors, l2 += o.l2;
  wavefronts += o.wavefronts, idealWavefronts += o.idealWavefronts;
}

std::string_view nameOf(TensorKind kind) {
  constexpr std::string_view names[] = {"f16", "bf16", "tf32", "f64", "fp8", "int8", "int4", "b1"};
  static_assert(std::size(names) == size_t(TensorKind::count));
  return names[size_t(kind)];
}

std::string_view nameOf(Pipe pipe) {
  constexpr std::string_view names[] = {"alu",    "fma",    "half",  "wide",   "special", "convert", "control",
                                        "shared", "global", "local", "atomic", "tensor",  "sync",    "none"};
  static_assert(std::size(names) == size_t(Pipe::none) + 1);
  return names[size_t(pipe)];
}

// By the narrowest of the instruction's types: accumulators are wider than what they sum.
TensorKind tensorKindOf(const Program &program, const Op &op) {
  using ptx::Type;
  const Source &source = program.sources[op.source];
  TensorKind kind = TensorKind::f16;
  if (source.function < 0 || source.instruction < 0)
    return kind;
  for (Type t : program.module->functions[size_t(source.function)].body[size_t(source.instruction)].types)
    switch (t) {
    case Type::bf16:
      kind = TensorKind::bf16;
      break;
    case Type::tf32:
      kind = TensorKind::tf32;
      break;
    case Type::f64:
      kind = TensorKind::f64;
      break;
    case Type::e4m3:
    case Type::e5m2:
      kind = TensorKind::fp8;
      break;
    case Type::s8:
    case Type::u8:
      kind = TensorKind::int8;
      break;
    case Type::s4:
    case Type::u4:
      kind = TensorKind::int4;
      break;
    case Type::b1:
      kind = TensorKind::b1;
      break;
    default:
      break;
    }
  return kind;
}

Report reportOf(const Launch &launch, std::span<Worker *const> workers) {
  const Program &program = *launch.program;
  Report report;
  report.counts.assign(program.code.size(), {});
  std::vector<Traffic *> traffic;
  for (Worker *w : workers) {
    report.threadInstructions += w->threadInstructions;
    report.warpInstructions += w->warpInstructions;
    traffic.push_back(&w->traffic);
    report.paces.add(w->paces);
    for (size_t i = 0; i < w->counts.size(); ++i)
      report.counts[i].add(w->counts[i]);
  }
  for (size_t i = 0; i < program.code.size(); ++i) {
    const OpCount &c = report.counts[i];
    const Op &op = program.code[i];
    report.total.add(c);
    report.pipes[size_t(op.pipe)] += c.issues;
    report.globalRequests += c.sectors ? c.issues : 0;
    report.sharedRequests += c.wavefronts ? c.issues : 0;
    if (op.pipe == Pipe::tensor)
      report.tensorFlop[size_t(tensorKindOf(program, op))] += double(c.issues) * double(op.imm);
  }
  const Calibration calibration = calibrationOf(launch.chip->id).constants;
  report.traffic = totalsOf(traffic, launch.chip->rates.l2MiB * calibration.l2Usable * 1048576);
  const LaunchShape shape{double(launch.blocks()), launch.threads(), program.resources.registers,
                          uint32_t(program.dynamicSharedOffset + launch.dynamicShared)};
  report.estimate = estimate(*launch.chip, calibration, shape, modelCounts(report, calibration));
  report.modelledUs = report.estimate.microseconds;
  return report;
}

std::string describe(const Launch &launch, const Report &r) {
  char line[256];
  std::string out;
  const Program &program = *launch.program;
  std::snprintf(line, sizeof line, "%s on %.*s: %" PRIu64 " blocks of %u threads, %u registers (%.*s)\n",
                program.name.c_str(), int(launch.chip->name.size()), launch.chip->name.data(), launch.blocks(),
                launch.threads(), program.resources.registers, int(program.resources.from.size()),
                program.resources.from.data());
  out += line;
  std::snprintf(line, sizeof line, "  %" PRIu64 " warp instructions, %.1f lanes active\n", r.warpInstructions,
                r.warpInstructions ? double(r.threadInstructions) / double(r.warpInstructions) : 0.0);
  out += line;
  std::snprintf(line, sizeof line,
                "  global: %" PRIu64 " bytes asked, %" PRIu64 " sectors (%" PRIu64 " at best), %" PRIu64
                " of them from L2, DRAM %.0f bytes read and %.0f written\n",
                r.total.bytes, r.total.sectors, r.total.idealSectors, r.total.l2, r.traffic.dramRead,
                r.traffic.dramWritten);
  out += line;
  std::snprintf(line, sizeof line, "  shared: %" PRIu64 " wavefronts, %" PRIu64 " without conflicts\n",
                r.total.wavefronts, r.total.idealWavefronts);
  out += line;
  out += explain(r.estimate);
  for (const std::string &remark : remarks(launch, r))
    out += "  " + remark + "\n";
  std::vector<LineCost> lines = costBySource(launch, r);
  if (lines.empty())
    lines = costByPtxLine(launch, r);
  for (size_t i = 0; i < lines.size() && i < 12; ++i) {
    const LineCost &l = lines[i];
    std::snprintf(line, sizeof line, "  %8.2f us %-7s %12" PRIu64 " issues  ", l.us, std::string(l.bound).c_str(),
                  l.count.issues);
    out += line + (l.source.empty() ? "PTX:" + std::to_string(l.ptxLine) : l.source) +
           (l.why.empty() ? "" : "  " + l.why) + "\n";
  }
  return out;
}

} // namespace tessera::vgpu
