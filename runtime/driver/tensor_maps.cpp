#include "runtime/driver/tensor_maps.h"
#include <bit>

namespace tessera::driver {

namespace {
constexpr size_t mostKnown = 1024; // 128 KiB

// CUtensorMapDataType and CUtensorMapSwizzle (CUDA Driver API, "Tensor Map Object Management").
int elementTypeOf(DType dtype) {
  if (dtype == f16)
    return 6;
  if (dtype == bf16)
    return 9;
  if (dtype == f32)
    return 7;
  return info(dtype).bits == 32 ? 3 : info(dtype).bits == 16 ? 1 : 0;
}
int swizzleOf(int64_t bytes) { return bytes ? std::countr_zero(uint64_t(bytes)) - 4 : 0; }
constexpr int promoteToL2Lines = 2; // CU_TENSOR_MAP_L2_PROMOTION_L2_128B
} // namespace

TensorMaps::TensorMaps(const Artifact &artifact) {
  for (const TensorMap &map : artifact.tensorMaps) {
    const ArgInfo &arg = artifact.signature.args[size_t(map.arg)];
    wanted.push_back({artifact.signature.dims.size() + size_t(map.arg), arg.extents, map.box, elementTypeOf(arg.dtype),
                      info(arg.dtype).bits / 8, swizzleOf(map.swizzleBytes)});
  }
}

bool TensorMaps::encode(const CudaApi &api, std::span<const int64_t> slots, std::vector<Map> &maps) {
  if (!api.tensorMapEncodeTiled)
    return false;
  maps.resize(wanted.size());
  std::lock_guard lock(guard);
  if (known.size() > mostKnown)
    known.clear();
  std::vector<int64_t> key;
  for (size_t i = 0; i < wanted.size(); ++i) {
    key = {int64_t(i), slots[wanted[i].slot]};
    for (const Extent &extent : wanted[i].extents)
      key.push_back(extent.dim >= 0 ? slots[size_t(extent.dim)] : extent.value);
    auto found = known.find(key);
    if (found == known.end()) {
      Map made;
      if (!make(api, wanted[i], key, made))
        return false;
      found = known.emplace(key, made).first;
    }
    maps[i] = found->second;
  }
  return true;
}

// `key`: which map, address, sizes. The driver counts axes from the fastest.
bool TensorMaps::make(const CudaApi &api, const Wanted &wanted, std::span<const int64_t> key, Map &map) {
  constexpr size_t most = 5;
  size_t rank = wanted.box.size();
  if (rank == 0 || rank > most || key.size() != rank + 2)
    return false;
  uint64_t sizes[most], strides[most];
  uint32_t box[most], steps[most];
  uint64_t stride = uint64_t(wanted.elementBytes);
  for (size_t axis = 0; axis < rank; ++axis) {
    size_t from = rank - 1 - axis;
    if (key[2 + from] <= 0)
      return false;
    sizes[axis] = uint64_t(key[2 + from]);
    box[axis] = uint32_t(wanted.box[from]);
    steps[axis] = 1;
    if (axis)
      strides[axis - 1] = stride;
    stride *= sizes[axis];
  }
  return api.tensorMapEncodeTiled(&map, wanted.elementType, unsigned(rank), reinterpret_cast<void *>(uintptr_t(key[1])),
                                  sizes, strides, box, steps, 0, wanted.swizzle, promoteToL2Lines, 0) == cuSuccess;
}

} // namespace tessera::driver
