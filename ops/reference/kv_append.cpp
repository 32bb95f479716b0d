#include "ops/reference/reference.h"

namespace tessera::reference {

std::vector<double> kvAppend(CacheShape s, Values cache, Values k, Ints slots) {
  std::vector<double> result(cache.begin(), cache.end());
  for (size_t t = 0; t < slots.size(); ++t)
    for (int64_t h = 0; h < s.kvHeads; ++h)
      for (int64_t i = 0; i < s.headDim; ++i) {
        int64_t page = slots[t] / s.pageSize, offset = slots[t] % s.pageSize;
        result[((page * s.kvHeads + h) * s.pageSize + offset) * s.headDim + i] =
            k[(int64_t(t) * s.kvHeads + h) * s.headDim + i];
      }
  return result;
}

} // namespace tessera::reference
