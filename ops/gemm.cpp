#include "ops/gemm.h"

namespace tessera::ops {
using namespace dsl;

// C = epilogue(A · B). One program owns one bm × bn block of C.
void Gemm::define(Kernel &k, const Config &c) const {
  if (!k.require(panel == 0 || panel == c.bn, "gemm takes a panel of B at a time: panel is " + std::to_string(panel) +
                                                  " and bn is " + std::to_string(c.bn)))
    return;
  bool integers = in == i8;
  if (!k.require(!(panel && transposed), "gemm reads a B in panels as it lies: it cannot be transposed too") ||
      !k.require(!(integers && scaled && out == i32), "gemm cannot scale sums of bytes into i32"))
    return;
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("A", in, {M, K});
  Tensor B = panel        ? k.in("B", in, {k.dims("panels"), K, panel})
             : transposed ? k.in("B", in, {N, K})
                          : k.in("B", in, {K, N});
  Tensor rowScale = scaled ? k.in("rowScale", f32, {M}) : Tensor();
  Tensor columnScale = scaled ? k.in("columnScale", f32, {N}) : Tensor();
  Tensor C = k.out("C", out, {M, N});

  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm)); // rows fastest: a column panel of B stays in cache

  Tile sum = loop(blocks(K, c.bk), zeros({c.bm, c.bn}, integers ? i32 : f32), [&](Range kk, Tile acc) {
    Tile b = transposed ? trans(load(B(n, kk))) : load(panel ? B(n.origin / panel, kk, all) : B(kk, n));
    return dot(load(A(m, kk)), b, acc, precision);
  });
  if (integers && out == i32) {
    store(C(m, n), sum);
    return;
  }
  sum = sum.to(f32);
  if (scaled)
    sum = sum * reshape(load(rowScale(m)), {c.bm, 1}) * reshape(load(columnScale(n)), {1, c.bn});
  store(C(m, n), epilogue(sum, n).to(out));
}

// Rows in nearly equal parts. The accumulators (bm × two vectors) fill the registers, less what a row of B and a
// broadcast of A need.
Gemm::Config Gemm::defaultConfig(const Target &target, int64_t rows) const {
  if (target.vendor != Vendor::cpu) {
    // What no tensor core multiplies the threads do in f32, a patch of 4 x 4 each. A step takes 64 bytes of a row; 32
    // of bytes that shared memory has to give one by one.
    bool threads =
        in == f32 ? precision == Precision::full || !target.has("tf32_mma") : in == bf16 && !target.has("bf16");
    int most = threads ? 64 : 128;
    return {.bm = int(std::clamp<int64_t>(floorPower(int(std::min<int64_t>(rows, most))), 16, most)),
            .bn = panel ? panel : most,
            .bk = threads                             ? 16
                  : info(in).bits == 8 && !transposed ? 32
                                                      : 512 / info(in).bits};
  }
  int64_t most = std::min((target.registers - 4) / 2, 12), parts = (std::max<int64_t>(rows, 1) + most - 1) / most;
  int bm = parts > 4 ? int(most) : int((std::max<int64_t>(rows, 1) + parts - 1) / parts);
  return {.bm = bm, .bn = panel ? panel : 2 * lanes(target), .bk = 8};
}

Cost Gemm::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  return {2 * m * n * k, (m * k + k * n) * info(in).bits / 8 + m * n * info(out).bits / 8};
}

} // namespace tessera::ops
