#include "ops/reference/reference.h"

namespace tessera::reference {

std::vector<double> embedding(Values table, Ints tokens, int64_t columns) {
  std::vector<double> y;
  for (int32_t token : tokens)
    y.insert(y.end(), &table[token * columns], &table[token * columns] + columns);
  return y;
}

} // namespace tessera::reference
