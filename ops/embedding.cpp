#include "ops/embedding.h"
#include "ops/dequantize.h"

namespace tessera::ops {
using namespace dsl;

// y[t] = table[tokens[t]]. One program owns bd columns of one token.
void Embedding::define(Kernel &k, const Config &c) const {
  if (!takesColumns(k, name, table, c.bd))
    return;
  auto [T, V, D] = k.dims("T", "V", "D");
  Tensor W = k.in("table", table, {V, D});
  Tensor tokens = k.in("tokens", i32, {T});
  Tensor y = k.out("y", f32, {T, D});

  auto [t, j] = k.parallel(each(T), blocks(D, c.bd));
  Tile token = load(tokens(t));
  if (isQuantized(table))
    store(y(t, j), dequantized(W(token, j), table, c.bd));
  else
    store(y(t, j), load(W(token, j)).to(f32));
}

Cost Embedding::cost(const Sizes &s) const {
  double elements = double(at(s, "T")) * double(at(s, "D"));
  const auto &packed = info(table).packed;
  double row = packed ? double(panelBlockBytes(*packed)) / (packed->block * panelRows) : info(table).bits / 8.0;
  return {elements, elements * (row + 4)};
}

} // namespace tessera::ops
