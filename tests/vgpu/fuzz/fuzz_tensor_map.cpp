// libFuzzer entry: tensor maps of any parameters. What is encoded is read back the same; what is read from any 128
// bytes has a box that fits memory.
#include "runtime/vgpu/exec/tensor_map.h"
#include <cstdlib>
#include <cstring>

using namespace tessera::vgpu;

extern "C" int cuInit(unsigned);
extern "C" int cuTensorMapEncodeTiled(void *, int, unsigned, void *, const uint64_t *, const uint64_t *,
                                      const uint32_t *, const uint32_t *, int, int, int, int);

namespace {
struct Parameters {
  uint8_t type, rank, interleave, swizzle, promotion, fill, nulls, small;
  uint64_t address, sizes[5], strides[4];
  uint32_t box[5], steps[5];
};
void require(bool holds) {
  if (!holds)
    std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int started = cuInit(0);
  Parameters p{};
  alignas(64) uint8_t raw[128] = {};
  std::memcpy(&p, data, std::min(size, sizeof p));
  std::memcpy(raw, data, std::min(size, sizeof raw));
  TensorMap any;
  if (started || (readTensorMap(raw, any) && any.boxBytes() > 1 << 20))
    std::abort();
  if (p.small & 1) // likely to be taken
    for (int k = 0; k < 5; ++k) {
      p.sizes[k] = p.sizes[k] % 4096 + 1, p.box[k] = p.box[k] % 257, p.steps[k] = p.steps[k] % 9;
      if (k < 4)
        p.strides[k] = p.strides[k] % 65536 * 16;
    }
  const unsigned rank = p.rank % 7;
  const int code = cuTensorMapEncodeTiled(
      p.nulls == 1 ? nullptr : raw, p.type % 18, rank, reinterpret_cast<void *>(p.address),
      p.nulls == 2 ? nullptr : p.sizes, p.nulls == 3 ? nullptr : p.strides, p.nulls == 4 ? nullptr : p.box,
      p.nulls == 5 ? nullptr : p.steps, p.interleave % 4, p.swizzle % 8, p.promotion % 5, p.fill % 3);
  TensorMap map;
  if (code || !readTensorMap(raw, map))
    return 0;
  require(map.rank == rank && map.address == p.address && map.type == p.type % 18u);
  for (unsigned k = 0; k < rank; ++k) {
    require(map.sizes[k] == p.sizes[k] && map.box[k] == p.box[k] && map.step[k] == p.steps[k]);
    require(k == 0 || map.strides[k] == p.strides[k - 1]);
  }
  return 0;
}
