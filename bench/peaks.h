// What a device does at best: the roof that bench rows are held against, measured with kernels of the tile language.
#pragma once
#include "bench/kernel_timer.h"
#include <map>

namespace tessera::bench {

// Measures on first use and remembers. Not thread-safe.
class Peaks {
public:
  explicit Peaks(const Device &device) : device(device) {}

  // Multiplies and adds per second with everything in registers: f32 fused multiply-adds, or u8 x i8 integer dots.
  Result<double> flops(bool integer);
  // Bytes read per second from a tensor of about `bytes` that was read before: caches count where the tensor fits.
  Result<double> readBytes(double bytes);

private:
  Device device;
  std::map<bool, double> flopsByKind;
  std::map<int64_t, double> readBySize; // by power of two
};

} // namespace tessera::bench
