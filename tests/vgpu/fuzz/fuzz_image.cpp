// libFuzzer entry: any bytes as a module image of known length: PTX, fat binaries with entries plain, LZ4 or zstd.
#include "runtime/vgpu/driver/image.h"
#include <algorithm>
#include <memory>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0)
    return 0;
  // A copy of exactly this length, so that every byte read beyond it is noticed.
  const auto copy = std::make_unique<uint8_t[]>(size);
  std::copy_n(data, size, copy.get());
  (void)tessera::vgpu::driver::readImage(copy.get(), size, 90);
  return 0;
}
