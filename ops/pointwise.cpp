#include "ops/pointwise.h"
#include "ops/activation.h"

namespace tessera::ops {
using namespace dsl;

static double elements(const Sizes &s) { return double(at(s, "T")) * double(at(s, "D")); }

// y = f(x).
static void map(Kernel &k, const PointwiseConfig &c, Activation kind) {
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.in("x", f32, {T, D});
  Tensor y = k.out("y", f32, {T, D});
  auto [t, j] = k.parallel(blocks(T, 1), blocks(D, c.bd));
  store(y(t, j), activate(kind, load(x(t, j))));
}

void Silu::define(Kernel &k, const Config &c) const { map(k, c, Activation::silu); }
Cost Silu::cost(const Sizes &s) const { return {4 * elements(s), 8 * elements(s)}; }

void Gelu::define(Kernel &k, const Config &c) const { map(k, c, tanh ? Activation::geluTanh : Activation::gelu); }
Cost Gelu::cost(const Sizes &s) const { return {9 * elements(s), 8 * elements(s)}; }

void Add::define(Kernel &k, const Config &c) const {
  auto [T, D] = k.dims("T", "D");
  Tensor x = bias ? k.in("x", f32, {D}) : k.in("x", f32, {T, D});
  Tensor r = k.inOut("r", f32, {T, D});
  auto [t, j] = k.parallel(blocks(T, 1), blocks(D, c.bd));
  store(r(t, j), load(r(t, j)) + (bias ? load(x(j)) : load(x(t, j))));
}
Cost Add::cost(const Sizes &s) const { return {elements(s), elements(s) * (bias ? 8 : 12)}; }

// x = f(x, scalar).
static void change(Kernel &k, const PointwiseConfig &c, Name scalar, Tile (*f)(Tile x, Tile scalar)) {
  auto [T, D] = k.dims("T", "D");
  Tensor x = k.inOut("x", f32, {T, D});
  Tile number = k.scalar(scalar, f32);
  auto [t, j] = k.parallel(blocks(T, 1), blocks(D, c.bd));
  store(x(t, j), f(load(x(t, j)), number));
}

void Scale::define(Kernel &k, const Config &c) const {
  change(k, c, "s", [](Tile x, Tile s) { return x * s; });
}
Cost Scale::cost(const Sizes &s) const { return {elements(s), 8 * elements(s)}; }

void SoftCap::define(Kernel &k, const Config &c) const {
  change(k, c, "cap", [](Tile x, Tile cap) { return cap * tanh(x / cap); });
}
Cost SoftCap::cost(const Sizes &s) const { return {8 * elements(s), 8 * elements(s)}; }

} // namespace tessera::ops
