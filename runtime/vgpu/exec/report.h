// What a launch did and what it cost: counters of the whole grid and of each operation, caches, occupancy, modelled
// time.
#pragma once
#include "runtime/vgpu/exec/block.h"
#include "runtime/vgpu/exec/resources.h"
#include <span>

namespace tessera::vgpu {

// Element types of the matrix instructions, by which their FLOP are told apart.
enum class TensorKind : uint8_t { f16, bf16, tf32, f64, fp8, int8, int4, b1, count };
std::string_view nameOf(TensorKind kind);
TensorKind tensorKindOf(const Program &program, const Op &op);
std::string_view nameOf(Pipe pipe);

struct Report {
  std::vector<OpCount> counts; // by operation of the program
  OpCount total;
  uint64_t threadInstructions = 0, warpInstructions = 0;
  uint64_t pipes[size_t(Pipe::none) + 1] = {};     // warp instructions
  uint64_t globalRequests = 0, sharedRequests = 0; // warp instructions that reached that memory
  std::array<double, size_t(TensorKind::count)> tensorFlop{};
  Totals traffic; // DRAM
  Paces paces;    // waits, modelled clocks
  Estimate estimate;
  double modelledUs = 0;
};

// Merges what the workers counted. Takes their traffic apart.
Report reportOf(const Launch &launch, std::span<Worker *const> workers);

// The report as text: totals, the model's terms, then the source lines that cost most.
std::string describe(const Launch &launch, const Report &report);

} // namespace tessera::vgpu
