#include "ops/reference/reference.h"

namespace tessera::reference {

std::vector<double> ropeAppend(RopeShape s, JoinedHeads joined, Values w, Ints pos, const RopeTables &tables) {
  std::vector<double> x;
  for (size_t t = 0; t < pos.size(); ++t) {
    Values token = joined.qkv.subspan((int64_t(t) * joined.all + joined.first) * s.headDim, s.heads * s.headDim);
    x.insert(x.end(), token.begin(), token.end());
  }
  if (!w.empty())
    x = rmsNorm<double>(x, w, 1e-6);
  return rope<double>(s, x, pos, tables.cosTable, tables.sinTable);
}

} // namespace tessera::reference
