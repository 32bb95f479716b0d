#include "ops/reference/reference.h"

namespace tessera::reference {

std::vector<double> gemmMerge(int64_t splits, Values parts) {
  std::vector<double> c(parts.size() / splits, 0);
  for (size_t i = 0; i < parts.size(); ++i)
    c[i % c.size()] += parts[i];
  return c;
}

} // namespace tessera::reference
