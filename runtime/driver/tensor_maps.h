// TensorMaps: what a kernel tells the copy engine of its tensors (TMA), encoded on the host and kept for tensors that
// come again.
#pragma once
#include "base/artifact.h"
#include "runtime/driver/cuda_api.h"
#include <cstddef>
#include <map>
#include <mutex>
#include <span>
#include <vector>

namespace tessera::driver {

// Thread-safe.
class TensorMaps {
public:
  struct alignas(64) Map {
    std::byte bytes[128];
  };

  explicit TensorMaps(const Artifact &artifact);
  size_t count() const { return wanted.size(); }
  // One map for each of Artifact::tensorMaps, of the tensors in `slots` (Launch::args). False where the driver cannot
  // make one (a tensor without elements, say): such a launch takes the general entry.
  bool encode(const CudaApi &api, std::span<const int64_t> slots, std::vector<Map> &maps);

private:
  struct Wanted {
    size_t slot;
    std::vector<Extent> extents;
    std::vector<int64_t> box;
    int elementType, elementBytes, swizzle;
  };
  static bool make(const CudaApi &api, const Wanted &wanted, std::span<const int64_t> key, Map &map);

  std::vector<Wanted> wanted;
  std::mutex guard;                          // of known
  std::map<std::vector<int64_t>, Map> known; // by map, address and sizes
};

} // namespace tessera::driver
