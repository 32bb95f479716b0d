#include "runtime/vgpu/exec/chips.h"

namespace tessera::vgpu {
namespace {
// Limits: CUDA C++ programming guide, table of compute capabilities. SM counts, clocks and bandwidths: the vendor's
// datasheet or architecture whitepaper that the row names. dramEfficiency, sustainedMhz, l2BytesPerClock and launchUs
// are calibration values, not vendor figures.
constexpr Chip rows[] = {
    {"t4",
     "Tesla T4",
     75,
     40,
     15360,
     {32, 16, 64, 64},
     {1590, 1100, 320, 0.84, 4, 1280, 64, 1024, 3.5},
     "NVIDIA T4 datasheet; Turing whitepaper WP-09183-001; arXiv 1903.07486 (L2)"},
    {"v100",
     "Tesla V100-SXM2-16GB",
     70,
     80,
     16384,
     {64, 32, 96, 96},
     {1530, 1380, 900, 0.88, 6, 2048, 64, 1024, 3.5},
     "NVIDIA V100 datasheet; Volta whitepaper WP-08608-001"},
    {"a10g",
     "NVIDIA A10G",
     86,
     80,
     23040,
     {48, 16, 100, 99},
     {1710, 1500, 600, 0.86, 6, 2048, 128, 512, 3.0},
     "AWS G5 instance pages; GA102 whitepaper v2"},
    {"a100",
     "NVIDIA A100-SXM4-40GB",
     80,
     108,
     40536,
     {64, 32, 164, 163},
     {1410, 1350, 1555, 0.88, 40, 5120, 64, 2048, 3.0},
     "NVIDIA A100 datasheet; Ampere GA100 whitepaper"},
    {"a100-80",
     "NVIDIA A100-SXM4-80GB",
     80,
     108,
     81251,
     {64, 32, 164, 163},
     {1410, 1350, 2039, 0.88, 40, 5120, 64, 2048, 3.0},
     "NVIDIA A100 80GB datasheet; Ampere GA100 whitepaper"},
    {"l4",
     "NVIDIA L4",
     89,
     58,
     23034,
     {48, 24, 100, 99},
     {2040, 1200, 300, 0.88, 48, 2048, 128, 1024, 3.0},
     "NVIDIA L4 datasheet; Ada whitepaper v2"},
    {"l40s",
     "NVIDIA L40S",
     89,
     142,
     46068,
     {48, 24, 100, 99},
     {2520, 2200, 864, 0.88, 96, 4096, 128, 1024, 3.0},
     "NVIDIA L40S datasheet; Ada whitepaper v2"},
    {"h100",
     "NVIDIA H100 80GB HBM3",
     90,
     132,
     81559,
     {64, 32, 228, 227},
     {1980, 1600, 3350, 0.90, 50, 5120, 128, 4096, 2.5},
     "NVIDIA H100 datasheet; Hopper whitepaper v1.04"},
    {"h100-pcie",
     "NVIDIA H100 PCIe",
     90,
     114,
     81559,
     {64, 32, 228, 227},
     {1755, 1400, 2000, 0.90, 50, 5120, 128, 4096, 2.5},
     "NVIDIA H100 PCIe datasheet; Hopper whitepaper v1.04"},
    {"h200",
     "NVIDIA H200",
     90,
     132,
     143771,
     {64, 32, 228, 227},
     {1980, 1600, 4800, 0.90, 50, 5120, 128, 4096, 2.5},
     "NVIDIA H200 datasheet"},
};
} // namespace

std::span<const Chip> chips() { return rows; }

const Chip *chipNamed(std::string_view id) {
  for (const Chip &chip : rows)
    if (chip.id == id)
      return &chip;
  return nullptr;
}

} // namespace tessera::vgpu
