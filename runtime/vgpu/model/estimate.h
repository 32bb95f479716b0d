// The modelled time of one kernel launch: a pure function of a chip's row, its calibration, the launch and its counts.
#pragma once
#include "runtime/vgpu/exec/chips.h"

#include <array>
#include <string>
#include <string_view>

namespace tessera::vgpu {

// The few fitted constants of one chip. docs/design/0011-performance-model.md has the equations and says how they were
// fitted.
struct Calibration {
  double clockShare = 0.8;     // sustained clock and issue losses, as a share of boost clock x peak rate
  double narrowShare = 0.9;    // further share for library kernels with a 32-wide or k-sliced tile
  double stepInstructions = 4; // library kernels: instructions of a step of k beside FMAs and fragment loads
  double halfWarps = 0.5;      // resident warps an SM at which half of the rate is reached
  double blockClocks = 1000;   // prologue and epilogue of a wave of blocks, clocks that no other term hides
  double dramShare = 0.88;     // share of the DRAM peak that streaming reaches
  double l2Share = 0.5;        // share of the L2's nominal bytes a clock
  double overlapExponent = 3;  // 1: the SM, L2 and DRAM terms add; large: the longest hides the others
  double l2Usable = 0.6;       // share of L2 capacity that keeps data between waves
  double l2Drift = 0.02;       // share of L2 requests that miss because blocks of a wave drift apart
  double tlbReachMiB = 1024;   // span of memory a wave may touch at once before translations miss
  double tlbCost = 0;          // slowdown when every translation misses
  double dramRampUs = 10;      // what a long stream loses while DRAM traffic builds up and drains

  static constexpr int count = 13;
  std::array<double *, count> fields();
  static const std::array<std::string_view, count> names;
};

enum class TensorType { f16, tf32, int8, fp8 }; // bf16 runs at f16's rate

// Lanes of an SM by pipe, beside ChipRates::fmaPerClockSm.
struct PipeLanes {
  double half, integer, special, fp64;
};
PipeLanes pipeLanes(uint32_t arch);

struct LaunchShape {
  double blocks = 1;        // grid_x * grid_y * grid_z
  uint32_t threads = 32;    // of a block
  uint32_t registers = 32;  // of a thread
  uint32_t sharedBytes = 0; // of a block, static and dynamic
};

// What the whole launch did (all blocks). Warp instructions: one for 32 lanes, whatever the mask.
struct Counts {
  double fma = 0;     // f32 add, multiply, fma
  double half = 0;    // f16x2 and bf16x2 arithmetic
  double integer = 0; // integer arithmetic and logic, conversions
  double special = 0; // ex2, lg2, rcp, rsqrt, sin, cos
  double fp64 = 0;
  double memory = 0;           // loads, stores, atomics of any space
  double other = 0;            // control, moves, barriers, tensor instructions
  double sharedWavefronts = 0; // 128-byte passes of shared memory, conflicts included
  double l2Bytes = 0, dramBytes = 0;
  std::array<double, 4> tensorFlop{}; // by TensorType
  double pagesTouchedMiB = 0;         // span of memory that the resident blocks touch at once; 0 when unknown
  double pipeShare = 1;               // efficiency of the kernel's code, 1 unless its library is calibrated
};

enum class Limit { threads, blocks, registers, shared };
std::string_view nameOf(Limit limit);

struct Occupancy {
  uint32_t blocksPerSm = 0; // 0: the block does not fit
  uint32_t warpsPerBlock = 0;
  Limit limit = Limit::threads; // the resource that ran out first
};

// Resident blocks of an SM, with the hardware's allocation units (registers 256 a warp, warps in fours, shared memory
// 128 bytes and 1 KiB reserved a block from sm_80 on, 256 bytes before). Source: CUDA occupancy calculator, tables
// "physical limits" and "allocation granularity".
Occupancy occupancy(const Chip &chip, const LaunchShape &shape);

// Every time is of the whole launch, in microseconds. sm is the longest pipe with wave quantisation; total is
// (sm^p + l2^p + dram^p)^(1/p) + latency + launch.
struct Estimate {
  double microseconds = 0;
  Occupancy occupancy;
  double waves = 0;        // blocks over resident slots; its ceiling is the number of rounds
  double quantisation = 1; // SM time over the time of a perfectly even spread
  double fma = 0, issue = 0, special = 0, integer = 0, fp64 = 0, tensor = 0, shared = 0; // before quantisation
  double sm = 0, l2 = 0, dram = 0, latency = 0, launch = 0;
  std::string_view bound; // "fma", "issue", "tensor", "shared", "l2", "dram", "latency", "launch", ...
};

// Pure and thread-safe. A launch that does not fit (blocksPerSm 0) or has no blocks costs its launch only.
Estimate estimate(const Chip &chip, const Calibration &calibration, const LaunchShape &shape, const Counts &counts);

std::string explain(const Estimate &estimate);     // a few lines of text: the terms, and which one bounds
std::string explainJson(const Estimate &estimate); // one JSON object with the same fields

} // namespace tessera::vgpu
