#include "ops/gemm.h"

namespace tessera::ops {
using namespace dsl;

static bool accepts(Kernel &k, const Gemm &op, const Gemm::Config &c) {
  return k.require(op.panel == 0 || op.panel == c.bn, "gemm takes a panel of B at a time: panel is " +
                                                          std::to_string(op.panel) + " and bn is " +
                                                          std::to_string(c.bn)) &&
         k.require(op.kGroup == 0 || (op.panel && c.bk == op.kGroup),
                   "gemm with k in groups takes a panel and one group a step: kGroup is " + std::to_string(op.kGroup) +
                       " and bk is " + std::to_string(c.bk));
}

// C = epilogue(A · B). One program owns one bm × bn block of C.
void Gemm::define(Kernel &k, const Config &c) const {
  if (!accepts(k, *this, c))
    return;
  bool integers = in == i8 || in == u8;
  if (!k.require(!(panel && transposed), "gemm reads a B in panels as it lies: it cannot be transposed too") ||
      !k.require(!(integers && scaled && out == i32), "gemm cannot scale sums of bytes into i32"))
    return;
  DType right = in == u8 ? i8 : in;
  auto [M, N, K] = k.dims("M", "N", "K");
  Tensor A = k.in("A", in, {M, K});
  Tensor B = kGroup       ? k.in("B", right, {k.dims("panels"), K / kGroup, panel * kGroup})
             : panel      ? k.in("B", right, {k.dims("panels"), K, panel})
             : transposed ? k.in("B", right, {N, K})
                          : k.in("B", right, {K, N});
  Tensor rowScale = scaled ? k.in("rowScale", f32, {M}) : Tensor();
  Tensor columnScale = scaled ? k.in("columnScale", f32, {N}) : Tensor();
  Tensor C = k.out("C", out, {M, N});

  auto [n, m] = k.parallel(blocks(N, c.bn), blocks(M, c.bm)); // rows fastest: a column panel of B stays in cache

  auto loadB = [&](Range kk) {
    if (kGroup)
      return trans(reshape(load(B(n.origin / panel, kk / kGroup, all)), {panel, kGroup}));
    return transposed ? trans(load(B(n, kk))) : load(panel ? B(n.origin / panel, kk, all) : B(kk, n));
  };
  Tile sum = loop(blocks(K, c.bk), zeros({c.bm, c.bn}, integers ? i32 : f32),
                  [&](Range kk, Tile acc) { return dot(load(A(m, kk)), loadB(kk), acc, precision); });
  if (integers && out == i32) {
    store(C(m, n), sum);
    return;
  }
  sum = sum.to(f32);
  if (scaled)
    sum = sum * reshape(load(rowScale(m)), {c.bm, 1}) * reshape(load(columnScale(n)), {1, c.bn});
  store(C(m, n), epilogue(sum, n).to(out));
}

// How many rows a program takes, at most `most`: where there are few rows, so many that the last program has the fewest
// of them masked.
static int rowsOfProgram(int64_t rows, int most) {
  if (rows <= most || rows > 4 * most)
    return int(std::clamp<int64_t>(rows, 1, most));
  int best = most;
  for (int bm = most; 2 * bm >= most; --bm)
    if ((rows + bm - 1) / bm * bm < (rows + best - 1) / best * best)
      best = bm;
  return best;
}

// The accumulators fill the registers, less what a row of B and broadcasts of A need. Wide rather than high: a
// broadcast then serves more multiply-adds, and LLVM, which loads broadcasts early, spills none (6 x 64 f32 with
// 512-bit registers reaches 240 Gflop/s where 12 x 32 stays at 197). Few k a step, for what is compiled has them all in
// a row.
Gemm::Config Gemm::defaultConfig(const Target &target, int64_t rows) const {
  if (target.vendor != Vendor::cpu) {
    // What no tensor core multiplies the threads do in f32, a patch of 4 x 4 each. A step takes 64 bytes of a row, or
    // of halves the 128 that wgmma's widest swizzle covers (of bytes they spilled 234 bytes where rows are not
    // aligned); 32 of bytes that shared memory has to give one by one, unless rows are so few that a thread would bring
    // 8 bytes of them. Sums of 8-bit floats need their registers twice (tile-promote-sums).
    bool threads =
        in == f32 ? precision == Precision::full || !target.has("tf32_mma") : in == bf16 && !target.has("bf16");
    int most = threads ? 64 : 128;
    // Bytes that shared memory gives one by one are registers of their own: with 128 rows sm_90 spilled 60 bytes where
    // rows are not aligned (64 take 6 % less time there, on sm_89 6 % more).
    if (isFloat8(in) && !transposed && target.has("wgmma"))
      most = 64;
    bool warpgroups = most == 128 && target.has("wgmma") && (info(in).bits == 16 || (info(in).bits == 8 && transposed));
    return {.bm = int(std::clamp<int64_t>(floorPower(int(std::min<int64_t>(rows, most))), 16, most)),
            .bn = panel                       ? panel
                  : warpgroups && rows >= 128 ? (isFloat8(in) ? 128 : 256)
                  : threads                   ? 64
                                              : 128,
            .bk = kGroup                              ? kGroup
                  : threads                           ? 16
                  : warpgroups                        ? 64
                  : info(in).bits == 8 && !transposed ? (rows < 64 ? 64 : 32)
                                                      : 512 / info(in).bits};
  }
  int vectors = target.registers >= 32 ? 4 : 2, most = (target.registers - 2 * vectors) / vectors;
  return {.bm = rowsOfProgram(rows, most),
          .bn = panel ? panel : vectors * lanes(target),
          .bk = kGroup               ? kGroup
                : info(in).bits == 8 ? 8
                                     : 4};
}

Cost Gemm::cost(const Sizes &s) const {
  double m = double(at(s, "M")), n = double(at(s, "N")), k = double(at(s, "K"));
  return {2 * m * n * k, (m * k + k * n) * info(in).bits / 8 + m * n * info(out).bits / 8};
}

} // namespace tessera::ops
