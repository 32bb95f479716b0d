#include "runtime/vgpu/exec/chips.h"

namespace tessera::vgpu {
namespace {
// Limits and f32 lanes: CUDA C++ programming guide, tables of compute capabilities and of arithmetic throughput, for
// all rows. `source` names where SM count, boost clock, memory and dense tensor rate come from, then the L2. The three
// values of the driver itself are nobody's figures: launchUs is a book value (2 to 5 us, virtual_gpu.md, section 6);
// sustainedMhz and dramEfficiency are superseded by the fitted calibration (model/calibration_table.inc).
constexpr Chip rows[] = {
    {"t4",
     "Tesla T4",
     75,
     40,
     15360,
     {32, 16, 64, 64},
     {1590, 1100, 320, 0.84, 4, 1280, 64, 1024, 3.5},
     "NVIDIA T4 datasheet; Turing whitepaper WP-09183-001. L2: 4 MiB; 1280 B a clock is nominal, of which the fitted "
     "l2Share leaves the 1.27 TB/s that arXiv 1903.07486 measured"},
    {"v100",
     "Tesla V100-SXM2-16GB",
     70,
     80,
     16384,
     {64, 32, 96, 96},
     {1530, 1380, 900, 0.88, 6, 2048, 64, 1024, 3.5},
     "NVIDIA V100 datasheet; Volta whitepaper WP-08608-001. L2: 6 MiB (whitepaper), rate assumed: 64 B a clock of 32 "
     "slices"},
    {"a10g",
     "NVIDIA A10G",
     86,
     80,
     23040,
     {48, 16, 100, 99},
     {1710, 1500, 600, 0.86, 6, 2048, 128, 512, 3.0},
     "AWS G5 instance pages (memory, bandwidth); GA102 whitepaper v2 (tensor rate with f32 accumulation: half of "
     "f16's). SM "
     "count: 10240 CUDA cores of 128 an SM. L2: 6 MiB (whitepaper), rate assumed: 64 B a clock of 32 slices"},
    {"a100",
     "NVIDIA A100-SXM4-40GB",
     80,
     108,
     40536,
     {64, 32, 164, 163},
     {1410, 1350, 1555, 0.88, 40, 5120, 64, 2048, 3.0},
     "NVIDIA A100 datasheet; Ampere GA100 whitepaper. L2: 40 MB, 5120 B a clock (whitepaper)"},
    {"a100-80",
     "NVIDIA A100-SXM4-80GB",
     80,
     108,
     81251,
     {64, 32, 164, 163},
     {1410, 1350, 2039, 0.88, 40, 5120, 64, 2048, 3.0},
     "NVIDIA A100 80GB datasheet; Ampere GA100 whitepaper. L2: 40 MB, 5120 B a clock (whitepaper)"},
    {"l4",
     "NVIDIA L4",
     89,
     58,
     23034,
     {48, 24, 100, 99},
     {2040, 1200, 300, 0.88, 48, 2048, 128, 1024, 3.0},
     "NVIDIA L4 datasheet; Ada whitepaper v2. L2: 48 MB (whitepaper), rate assumed: 64 B a clock of 32 slices"},
    {"l40s",
     "NVIDIA L40S",
     89,
     142,
     46068,
     {48, 24, 100, 99},
     {2520, 2200, 864, 0.88, 96, 4096, 128, 1024, 3.0},
     "NVIDIA L40S datasheet; Ada whitepaper v2. L2: 96 MB of AD102 (whitepaper; some lists say 48 of this card), rate "
     "assumed: 64 B a clock of 64 slices"},
    {"h100",
     "NVIDIA H100 80GB HBM3",
     90,
     132,
     81559,
     {64, 32, 228, 227},
     {1980, 1600, 3350, 0.90, 50, 5120, 128, 4096, 2.5},
     "NVIDIA H100 datasheet; Hopper whitepaper v1.04. L2: 50 MB (whitepaper), rate assumed to be A100's"},
    {"h100-pcie",
     "NVIDIA H100 PCIe",
     90,
     114,
     81559,
     {64, 32, 228, 227},
     {1755, 1400, 2000, 0.90, 50, 5120, 128, 4096, 2.5},
     "NVIDIA H100 PCIe datasheet; Hopper whitepaper v1.04. L2: 50 MB (whitepaper), rate assumed to be A100's"},
    {"h200",
     "NVIDIA H200",
     90,
     132,
     143771,
     {64, 32, 228, 227},
     {1980, 1600, 4800, 0.90, 50, 5120, 128, 4096, 2.5},
     "NVIDIA H200 datasheet (memory); Hopper whitepaper v1.04 (all else, as H100 SXM). L2: 50 MB, rate assumed to be "
     "A100's"},
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
