#include "ops/kv_append.h"

namespace tessera::ops {
using namespace dsl;

// One program owns one head of one token.
void KvAppend::define(Kernel &k, const Config &) const {
  auto [T, pages] = k.dims("T", "pages");
  Tensor key = k.in("k", f32, {T, kvHeads, headDim});
  Tensor value = k.in("v", f32, {T, kvHeads, headDim});
  Tensor slots = k.in("slots", i32, {T});
  Tensor K = keyColumns ? k.inOut("K", cache, {pages, kvHeads, headDim, pageSize})
                        : k.inOut("K", cache, {pages, kvHeads, pageSize, headDim});
  Tensor V = k.inOut("V", cache, {pages, kvHeads, pageSize, headDim});

  auto [t, h] = k.parallel(each(T), each(kvHeads));
  Tile slot = load(slots(t)), page = slot / pageSize, at = slot % pageSize;
  store(keyColumns ? K(page, h, all, at) : K(page, h, at, all), load(key(t, h, all)).to(cache));
  store(V(page, h, at, all), load(value(t, h, all)).to(cache));
}

KvAppend KvAppend::of(DType dtype, const Sizes &s) {
  return {int(at(s, "kvHeads")), int(at(s, "headDim")), int(at(s, "pageSize")), dtype, at(s, "keyColumns") != 0};
}

Cost KvAppend::cost(const Sizes &s) const {
  double elements = 2.0 * double(at(s, "T")) * kvHeads * headDim;
  return {0, elements * (4 + info(cache).bits / 8)};
}

} // namespace tessera::ops
