#include "runtime/vgpu/model/estimate.h"

#include <algorithm>
#include <cmath>

namespace tessera::vgpu {
namespace {
constexpr double lanes = 32;
constexpr double schedulersAnSm = 4;

// Dense rates over f16's: Ampere and later run tf32 at half, int8 and (from sm_89) fp8 at twice; earlier chips have
// int8 only (sm_75). A rate of zero means that the chip has no such instruction; its term is then left out.
double tensorRatio(uint32_t arch, TensorType type) {
  switch (type) {
  case TensorType::f16:
    return 1;
  case TensorType::tf32:
    return arch >= 80 ? 0.5 : 0;
  case TensorType::int8:
    return arch >= 75 ? 2 : 0;
  case TensorType::fp8:
    return arch >= 89 ? 2 : 0;
  }
  return 0;
}

uint32_t roundUp(uint32_t value, uint32_t unit) { return (value + unit - 1) / unit * unit; }

struct Named {
  std::string_view name;
  double value;
};

// Blocks are dealt in rounds of blocksPerSm x sms; an SM with fewer warps than a full round runs slower.
double roundsTime(const Chip &chip, const Calibration &calibration, const Estimate &e, double blocks) {
  const double perSm = e.occupancy.blocksPerSm, slots = perSm * chip.sms;
  const auto rate = [&](double resident) {
    const double warps = resident * e.occupancy.warpsPerBlock;
    return warps / (warps + calibration.halfWarps);
  };
  const double full = std::floor(blocks / slots), rest = std::ceil((blocks - full * slots) / chip.sms);
  return full * perSm / rate(perSm) + (rest > 0 ? rest / rate(rest) : 0);
}
} // namespace

// Lanes an SM and clock: CUDA C++ programming guide, arithmetic throughput table (special: 16 on every arch here).
PipeLanes pipeLanes(uint32_t arch) {
  switch (arch) {
  case 70:
    return {64, 64, 16, 32};
  case 75:
    return {64, 64, 16, 2};
  case 80:
    return {128, 64, 16, 32};
  case 86:
  case 89:
    return {128, 64, 16, 2};
  default:
    return {128, 64, 16, 64}; // sm_90
  }
}

const std::array<std::string_view, Calibration::count> Calibration::names = {
    "clockShare",      "narrowShare", "stepInstructions", "halfWarps",   "blockClocks", "dramShare", "l2Share",
    "overlapExponent", "l2Usable",    "l2Drift",          "tlbReachMiB", "tlbCost",     "dramRampUs"};

std::array<double *, Calibration::count> Calibration::fields() {
  return {&clockShare,      &narrowShare, &stepInstructions, &halfWarps,   &blockClocks, &dramShare, &l2Share,
          &overlapExponent, &l2Usable,    &l2Drift,          &tlbReachMiB, &tlbCost,     &dramRampUs};
}

Occupancy occupancy(const Chip &chip, const LaunchShape &shape) {
  Occupancy result;
  const uint32_t warps = std::max(1u, (shape.threads + 31) / 32);
  result.warpsPerBlock = warps;
  const uint32_t registersAWarp = std::max(1u, roundUp(std::max(1u, shape.registers) * 32, 256));
  // Each of the four sub-cores has a quarter of the 64 Ki registers, so warps are granted in fours.
  const uint32_t warpsByRegisters = 65536 / registersAWarp / 4 * 4;
  const uint32_t unit = chip.arch >= 80 ? 128 : 256, reserved = chip.arch >= 80 ? 1024 : 0;
  const uint32_t sharedABlock = roundUp(shape.sharedBytes, unit) + reserved;
  const bool tooMuch = shape.sharedBytes > chip.limits.sharedPerBlockKiB * 1024;
  const uint32_t byShared = tooMuch        ? 0
                            : sharedABlock ? chip.limits.sharedPerSmKiB * 1024 / sharedABlock
                                           : chip.limits.blocksPerSm;
  const struct {
    Limit limit;
    uint32_t blocks;
  } limits[] = {{Limit::threads, chip.limits.warpsPerSm / warps},
                {Limit::blocks, chip.limits.blocksPerSm},
                {Limit::registers, warpsByRegisters / warps},
                {Limit::shared, byShared}};
  result.blocksPerSm = limits[0].blocks;
  for (const auto &[limit, blocks] : limits)
    if (blocks < result.blocksPerSm) {
      result.blocksPerSm = blocks;
      result.limit = limit;
    }
  return result;
}

Estimate estimate(const Chip &chip, const Calibration &calibration, const LaunchShape &shape, const Counts &counts) {
  Estimate e;
  e.occupancy = occupancy(chip, shape);
  e.launch = chip.rates.launchUs;
  e.microseconds = e.launch;
  e.bound = "launch";
  if (e.occupancy.blocksPerSm == 0 || shape.blocks < 1)
    return e;
  const double clocksAUs = chip.rates.boostMhz * calibration.clockShare; // of one SM
  const double smClocks = clocksAUs * chip.sms;
  const PipeLanes pipes = pipeLanes(chip.arch);
  const auto pipe = [&](double warpInstructions, double width) { return warpInstructions * lanes / width / smClocks; };
  e.fma = pipe(counts.fma, chip.rates.fmaPerClockSm) + pipe(counts.half, pipes.half);
  e.integer = pipe(counts.integer, pipes.integer);
  e.special = pipe(counts.special, pipes.special);
  e.fp64 = pipe(counts.fp64, pipes.fp64);
  const double issued =
      counts.fma + counts.half + counts.integer + counts.special + counts.fp64 + counts.memory + counts.other;
  e.issue = issued / schedulersAnSm / smClocks;
  for (int type = 0; type < 4; ++type)
    if (const double ratio = tensorRatio(chip.arch, TensorType(type)); ratio > 0)
      e.tensor += counts.tensorFlop[type] / (chip.rates.halfTensorFlopPerClockSm * ratio) / smClocks;
  e.shared = counts.sharedWavefronts / smClocks; // one a clock

  const Named smTerms[] = {{"fma", e.fma},   {"issue", e.issue},   {"integer", e.integer}, {"special", e.special},
                           {"fp64", e.fp64}, {"tensor", e.tensor}, {"shared", e.shared}};
  const Named longest = *std::max_element(std::begin(smTerms), std::end(smTerms),
                                          [](const Named &a, const Named &b) { return a.value < b.value; });
  const double rounds = roundsTime(chip, calibration, e, shape.blocks);
  e.waves = shape.blocks / (double(e.occupancy.blocksPerSm) * chip.sms);
  e.quantisation = rounds * chip.sms / shape.blocks;
  const double tlbMiss =
      counts.pagesTouchedMiB > 0 ? std::max(0.0, 1 - calibration.tlbReachMiB / counts.pagesTouchedMiB) : 0;
  e.sm = longest.value * e.quantisation / counts.pipeShare * (1 + calibration.tlbCost * tlbMiss);
  e.l2 = counts.l2Bytes / (chip.rates.l2BytesPerClock * calibration.l2Share * chip.rates.boostMhz);
  const double streaming = counts.dramBytes / (chip.rates.dramGBs * calibration.dramShare * 1e3);
  // What the memory system loses at the start and in the drain of a stream; a short stream pays less of it.
  e.dram = streaming + calibration.dramRampUs * (1 - std::exp(-streaming / calibration.dramRampUs));
  e.latency = calibration.blockClocks * std::ceil(e.waves) / clocksAUs;

  const double p = calibration.overlapExponent;
  const double top = std::max({e.sm, e.l2, e.dram, 1e-9});
  const double busy =
      top * std::pow(std::pow(e.sm / top, p) + std::pow(e.l2 / top, p) + std::pow(e.dram / top, p), 1 / p);
  e.microseconds = busy + e.latency + e.launch;
  const Named terms[] = {
      {longest.name, e.sm}, {"l2", e.l2}, {"dram", e.dram}, {"latency", e.latency}, {"launch", e.launch}};
  e.bound = std::max_element(std::begin(terms), std::end(terms), [](const Named &a, const Named &b) {
              return a.value < b.value;
            })->name;
  return e;
}

} // namespace tessera::vgpu
