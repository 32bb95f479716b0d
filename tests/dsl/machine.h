// Machine: runs small kernels on this computer's CPU, for tests of what the language's verbs mean.
#pragma once
#include "compiler/compile.h"
#include "dsl/dsl.h"
#include "dsl/trace.h"
#include "runtime/driver/driver.h"
#include <gtest/gtest.h>

namespace tessera::dsl {

// Compiles and runs `define` for the given sizes on `args`: pointers of tensors and bits of scalars, in order.
inline void run(const std::function<void(Kernel &)> &define, const std::vector<int64_t> &sizes,
                const std::vector<const void *> &args) {
  auto program = traceKernel("verbs", "", define);
  ASSERT_TRUE(program) << program.error().message;
  auto driver = driver::openCpu("cpu", 1).value();
  auto artifact = compile(*program, driver->target());
  ASSERT_TRUE(artifact) << artifact.error().message << "\n" << program->fingerprint;
  auto kernel = driver->load(*artifact).value();
  std::vector<int64_t> slots = sizes, grid;
  for (const void *arg : args)
    slots.push_back(int64_t(arg));
  for (const GridAxis &axis : artifact->signature.grid) {
    int64_t extent = axis.extent.dim < 0 ? axis.extent.value : sizes[size_t(axis.extent.dim)];
    grid.push_back((extent + axis.block - 1) / axis.block);
  }
  auto launched = driver->launch(nullptr, kernel, {slots, grid});
  driver->unload(kernel);
  ASSERT_TRUE(launched) << launched.error().message;
}

// f(x[i], y[i]) for each i, on tiles of `in`, yielding tiles of `out`.
template <class Out, class In>
std::vector<Out> map(const std::vector<In> &x, const std::vector<In> &y, DType in, DType out,
                     const std::function<Tile(Tile, Tile)> &f) {
  std::vector<Out> z(x.size());
  auto define = [&](Kernel &k) {
    Dim N = k.dims("N");
    Tensor X = k.in("x", in, {N}), Y = k.in("y", in, {N});
    Tensor Z = k.out("z", out, {N});
    Range n = k.parallel(blocks(N, 16));
    store(Z(n), f(load(X(n)), load(Y(n))));
  };
  run(define, {int64_t(x.size())}, {x.data(), y.data(), z.data()});
  return z;
}

} // namespace tessera::dsl
