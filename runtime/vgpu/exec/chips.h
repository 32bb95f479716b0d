// The chips that can be simulated: one row of constants each, with its source.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace tessera::vgpu {

struct ChipLimits {
  uint32_t warpsPerSm, blocksPerSm;
  uint32_t sharedPerSmKiB, sharedPerBlockKiB; // the opt-in maximum of a block
};

struct ChipRates {
  double boostMhz, sustainedMhz;   // sustained: of a long tensor-core or FMA load
  double dramGBs, dramEfficiency;  // peak, and the share a copy kernel reaches
  double l2MiB, l2BytesPerClock;   // whole chip
  double fmaPerClockSm;            // f32 FMA lanes of an SM
  double halfTensorFlopPerClockSm; // dense f16 with f32 accumulation
  double launchUs;
};

struct Chip {
  std::string_view id, name; // "h100", what cuDeviceGetName answers
  uint32_t arch;             // compute capability times ten
  uint32_t sms;
  uint64_t memoryMiB;
  ChipLimits limits;
  ChipRates rates;
  std::string_view source;
};

std::span<const Chip> chips();
// The row with this id ("t4", "a100", "h100", ...); null when there is none.
const Chip *chipNamed(std::string_view id);

} // namespace tessera::vgpu
