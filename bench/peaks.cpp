#include "bench/peaks.h"
#include "dsl/dsl.h"
#include "dsl/trace.h"
#include "ops/catalogue.h"
#include <bit>

namespace tessera::bench {
using namespace dsl;

// Many products of the same two tiles into one accumulator: nothing but multiply-adds in the loop.
static Result<Program> flopsKernel(bool integer, int rows, int columns) {
  return traceKernel(integer ? "peak_i8" : "peak_f32", "", [=](Kernel &k) {
    int64_t depth = integer ? 32 : 8;
    auto [programs, steps] = k.dims("programs", "steps");
    Tensor a = k.in("a", integer ? i8 : f32, {rows, depth});
    Tensor b = k.in("b", integer ? u8 : f32, {depth, columns});
    Tensor rounds = k.in("rounds", integer ? i8 : f32, {steps});
    Tensor c = k.out("c", integer ? i32 : f32, {programs, rows, columns});
    Tile p = k.parallel(each(programs));
    Tile left = load(a(all, all)), right = load(b(all, all));
    (void)rounds;
    Tile sum = loop(each(steps), zeros({rows, columns}, integer ? i32 : f32),
                    [&](Tile, Tile acc) { return dot(left, right, acc); });
    store(c(p, all, all), sum);
  });
}

static Result<Program> readKernel(int columns) {
  return traceKernel("peak_read", "", [=](Kernel &k) {
    auto [rows, width] = k.dims("rows", "width");
    Tensor x = k.in("x", f32, {rows, width});
    Tensor y = k.out("y", f32, {rows});
    Range r = k.parallel(blocks(rows, 1));
    Tile sum =
        loop(blocks(width, columns), zeros({1, columns}), [&](Range j, Tile sum) { return sum + load(x(r, j)); });
    store(y(r), reshape(reduceSum(sum, 1), {1}));
  });
}

Result<double> Peaks::flops(bool integer) {
  if (auto known = flopsByKind.find(integer); known != flopsByKind.end())
    return known->second;
  const Target &target = device.target();
  int rows = target.registers >= 32 ? 8 : 4, columns = 2 * ops::lanes(target);
  int64_t depth = integer ? 32 : 8, programs = device.threads(), steps = 4096;
  LoadedKernel kernel = TESSERA_TRY(load(device, TESSERA_TRY(flopsKernel(integer, rows, columns))));
  auto zeroed = [&](DType dtype, tessera::Shape shape) -> Result<Buffer> {
    Buffer buffer = TESSERA_TRY(device.alloc(dtype, std::move(shape)));
    std::vector<std::byte> zeros(buffer.bytes());
    TESSERA_TRY(buffer.copyFrom(zeros.data(), buffer.bytes()));
    return buffer;
  };
  Buffer a = TESSERA_TRY(zeroed(integer ? i8 : f32, {rows, depth}));
  Buffer b = TESSERA_TRY(zeroed(integer ? u8 : f32, {depth, columns}));
  Buffer rounds = TESSERA_TRY(zeroed(integer ? i8 : f32, {steps}));
  Buffer c = TESSERA_TRY(zeroed(integer ? i32 : f32, {programs, rows, columns}));
  std::vector<Arg> args = {a, b, rounds, c};
  Spread us = TESSERA_TRY(timeLaunches(device, kernel, args, 10));
  double perLaunch = 2.0 * double(rows) * columns * double(depth) * double(steps) * double(programs);
  return flopsByKind[integer] = perLaunch / (us.min * 1e-6);
}

Result<double> Peaks::readBytes(double bytes) {
  int64_t size = int64_t(std::bit_ceil(uint64_t(std::max(bytes, 65536.0))));
  if (auto known = readBySize.find(size); known != readBySize.end())
    return known->second;
  int columns = 8 * ops::lanes(device.target());
  int64_t rows = 4 * device.threads(), width = size / 4 / rows;
  LoadedKernel kernel = TESSERA_TRY(load(device, TESSERA_TRY(readKernel(columns))));
  Buffer x = TESSERA_TRY(device.alloc(f32, {rows, width}));
  std::vector<float> ones(rows * width, 1.0f);
  TESSERA_TRY(x.copyFrom(ones.data(), x.bytes()));
  Buffer y = TESSERA_TRY(device.alloc(f32, {rows}));
  std::vector<Arg> args = {x, y};
  Spread us = TESSERA_TRY(timeLaunches(device, kernel, args, 10));
  return readBySize[size] = double(x.bytes()) / (us.min * 1e-6);
}

} // namespace tessera::bench
