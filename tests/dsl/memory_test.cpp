// What shape verbs, reductions, loops and memory accesses compute, by running them on ragged sizes.
#include "tests/dsl/machine.h"
#include <algorithm>
#include <cmath>
#include <numeric>

namespace tessera::dsl {

using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;

static Floats counting(size_t n, float from = 0) {
  Floats out(n);
  std::iota(out.begin(), out.end(), from);
  return out;
}

TEST(Access, RaggedEdgesReadZeroAndAreNotWritten) {
  constexpr int M = 5, N = 7;
  Floats x = counting(M * N, 1), sum(M), y(M * N + 1, -1);
  auto define = [](Kernel &k) {
    auto [M, N] = k.dims("M", "N");
    Tensor X = k.in("x", f32, {M, N}), S = k.out("sum", f32, {M}), Y = k.out("y", f32, {M, N});
    Range m = k.parallel(blocks(M, 4));
    Tile sum = loop(blocks(N, 4), zeros({4, 1}), [&](Range n, Tile sum) {
      Tile v = load(X(m, n));
      store(Y(m, n), v * 2);
      return sum + reduceSum(v, 1);
    });
    store(S(m), reshape(sum, {4}));
  };
  run(define, {M, N}, {x.data(), sum.data(), y.data()});
  for (int i = 0; i < M; ++i)
    EXPECT_EQ(sum[i], std::accumulate(x.begin() + i * N, x.begin() + (i + 1) * N, 0.f));
  for (int i = 0; i < M * N; ++i)
    EXPECT_EQ(y[i], 2 * x[i]);
  EXPECT_EQ(y.back(), -1);
}

TEST(Access, MasksGuardLoadsAndStores) {
  Floats x = counting(16), y(16, -1);
  auto define = [](Kernel &k) {
    Tensor X = k.in("x", f32, {16}), Y = k.out("y", f32, {16});
    Range n = k.parallel(blocks(16, 8));
    store(Y(n), load(X(n), n.pos() % 2 == 0) + 100, n.pos() >= 3);
  };
  run(define, {}, {x.data(), y.data()});
  for (int i = 0; i < 16; ++i)
    EXPECT_EQ(y[i], i < 3 ? -1 : i % 2 ? 100 : 100 + i) << i;
}

TEST(Access, GathersGoSideBySideAndScatter) {
  constexpr int R = 6, C = 5, D = 8;
  Floats x = counting(R * C * D), y(4 * D), z(16, -1);
  Ints rows{5, 0, 3, 3}, columns{4, 0, 2, 1};
  auto define = [](Kernel &k) {
    Dim R = k.dims("R");
    Tensor X = k.in("x", f32, {R, C, D}), rows = k.in("rows", i32, {4}), columns = k.in("columns", i32, {4});
    Tensor Y = k.out("y", f32, {4, D}), Z = k.out("z", f32, {16});
    k.parallel(each(1));
    Tile r = load(rows(all)), c = load(columns(all));
    store(Y(all, all), load(X(r, c, all)));
    store(Z(r + c), r.to(f32)); // 9, 0, 5, 4
  };
  run(define, {R}, {x.data(), rows.data(), columns.data(), y.data(), z.data()});
  for (int i = 0; i < 4; ++i)
    for (int d = 0; d < D; ++d)
      EXPECT_EQ(y[i * D + d], (rows[i] * C + columns[i]) * D + d);
  EXPECT_EQ(z, (Floats{0, -1, -1, -1, 3, 3, -1, -1, -1, 5, -1, -1, -1, -1, -1, -1}));
}

TEST(Access, MaskedOffGathersAreNotFollowed) {
  Floats x = counting(4, 1), y(4);
  Ints rows{3, 1 << 30, 0, -(1 << 30)};
  auto define = [](Kernel &k) {
    Tensor X = k.in("x", f32, {4}), rows = k.in("rows", i32, {4}), Y = k.out("y", f32, {4});
    k.parallel(each(1));
    Tile r = load(rows(all));
    store(Y(all), load(X(r), (r >= 0) & (r < 4)));
  };
  run(define, {}, {x.data(), rows.data(), y.data()});
  EXPECT_EQ(y, (Floats{4, 0, 1, 0}));
}

TEST(Access, RangesMoveAndDivide) {
  constexpr int D = 70;
  Floats x = counting(2 * D), y(D), g(7, -1);
  auto define = [](Kernel &k) {
    Dim d = k.dims("d");
    Tensor X = k.in("x", f32, {2 * d}), Y = k.out("y", f32, {d}), G = k.out("g", f32, {d / 10});
    Range j = k.parallel(blocks(d, 20));
    store(Y(j), load(X(j)) * 1000 + load(X(j + d)));
    store(G(j / 10), reshape(reduceSum(reshape(load(X(j)), {2, 10}), 1), {2}));
  };
  run(define, {D, 2 * D, D / 10}, {x.data(), y.data(), g.data()});
  for (int i = 0; i < D; ++i)
    EXPECT_EQ(y[i], 1000 * i + i + D);
  for (int i = 0; i < 7; ++i)
    EXPECT_EQ(g[i], 100 * i + 45);
}

TEST(Access, ReadsBeforeAStoreSeeTheOldValues) {
  Floats s = counting(8, 1), t(8);
  auto define = [](Kernel &k) {
    Tensor S = k.inOut("s", f32, {8}), T = k.out("t", f32, {8});
    k.parallel(each(1));
    Tile before = load(S(all));
    store(S(all), before * 10);
    Tile after = load(S(all));
    store(S(all), zeros({8}));
    store(T(all), after + before);
  };
  run(define, {}, {s.data(), t.data()});
  EXPECT_EQ(s, Floats(8, 0));
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(t[i], 11 * (i + 1));
}

TEST(Access, AtomicAddsOfAllProgramsArrive) {
  Ints counts(4);
  Floats sums(4);
  auto define = [](Kernel &k) {
    Tensor C = k.inOut("counts", i32, {4}), S = k.inOut("sums", f32, {4});
    Tile n = k.parallel(each(100));
    atomicAdd(C(iota(4)), full({4}, 1, i32), iota(4) < (n % 5).to(i32));
    atomicAdd(S(all), zeros({4}) + 0.5);
  };
  run(define, {}, {counts.data(), sums.data()});
  EXPECT_EQ(counts, (Ints{80, 60, 40, 20}));
  EXPECT_EQ(sums, Floats(4, 50));
}

TEST(Reduce, AlongEitherAxis) {
  constexpr int M = 6, N = 20;
  Floats x(M * N), rowMax(M), columnSum(N), scan(M * N);
  for (int i = 0; i < M * N; ++i)
    x[i] = float(i * 7 % 31) - 12;
  Ints rowArg(M), columnArg(N);
  auto define = [](Kernel &k) {
    Tensor X = k.in("x", f32, {M, N}), A = k.out("a", f32, {M, 1}), B = k.out("b", f32, {1, N});
    Tensor C = k.out("c", f32, {M, N}), D = k.out("d", i32, {M, 1}), E = k.out("e", i32, {1, N});
    k.parallel(each(1));
    Tile v = load(X(all, all));
    store(A(all, all), reduceMax(v, 1));
    store(B(all, all), reduceSum(v, 0));
    store(C(all, all), scanSum(v, 1));
    store(D(all, all), argMax(v, 1));
    store(E(all, all), argMax(-v, 0));
  };
  run(define, {}, {x.data(), rowMax.data(), columnSum.data(), scan.data(), rowArg.data(), columnArg.data()});
  for (int i = 0; i < M; ++i) {
    auto row = x.begin() + i * N;
    EXPECT_EQ(rowMax[i], *std::max_element(row, row + N));
    EXPECT_EQ(rowArg[i], std::max_element(row, row + N) - row); // the first of equals
    float sum = 0;
    for (int j = 0; j < N; ++j)
      EXPECT_EQ(scan[i * N + j], sum += x[i * N + j]);
  }
  for (int j = 0; j < N; ++j) {
    float sum = 0;
    int lowest = 0;
    for (int i = 0; i < M; ++i) {
      sum += x[i * N + j];
      lowest = x[i * N + j] < x[lowest * N + j] ? i : lowest;
    }
    EXPECT_EQ(columnSum[j], sum);
    EXPECT_EQ(columnArg[j], lowest);
  }
}

TEST(Shapes, StretchTransposeAndReshape) {
  Floats x = counting(12), y(12), z(12);
  auto define = [](Kernel &k) {
    Tensor X = k.in("x", f32, {3, 4}), Y = k.out("y", f32, {4, 3}), Z = k.out("z", f32, {2, 6});
    k.parallel(each(1));
    Tile v = load(X(all, all));
    Tile grid = reshape(iota(3), {3, 1}).to(f32) * 100 + iota(4).to(f32); // [3,1] and [4] stretch to [3,4]
    store(Y(all, all), trans(v + grid));
    store(Z(all, all), reshape(v, {2, 6}));
  };
  run(define, {}, {x.data(), y.data(), z.data()});
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 4; ++j)
      EXPECT_EQ(y[j * 3 + i], i * 4 + j + i * 100 + j);
  EXPECT_EQ(z, x);
}

TEST(Dot, BytesKeepTheirSign) {
  constexpr int M = 4, N = 16, K = 32;
  std::vector<uint8_t> a(M * K);
  std::vector<int8_t> b(K * N);
  for (int i = 0; i < M * K; ++i)
    a[i] = uint8_t(i * 37 + 131);
  for (int i = 0; i < K * N; ++i)
    b[i] = int8_t(i * 53 + 77);
  Ints c(M * N);
  auto define = [](Kernel &k) {
    Tensor A = k.in("a", u8, {M, K}), B = k.in("b", i8, {K, N}), C = k.out("c", i32, {M, N});
    k.parallel(each(1));
    store(C(all, all), dot(load(A(all, all)), load(B(all, all)), full({M, N}, 1000, i32)));
  };
  run(define, {}, {a.data(), b.data(), c.data()});
  for (int m = 0; m < M; ++m)
    for (int n = 0; n < N; ++n) {
      int sum = 1000;
      for (int k = 0; k < K; ++k)
        sum += a[m * K + k] * b[k * N + n];
      EXPECT_EQ(c[m * N + n], sum);
    }
}

TEST(Loop, CarriesScalarsAndTilesThroughNestedLoops) {
  Ints y(8);
  auto define = [](Kernel &k) {
    Tensor Y = k.out("y", i32, {8});
    k.parallel(each(1));
    auto [count, total] = loop(each(3), carry(full({}, 0, i32), zeros({8}, i32)), [&](Tile i, Tile count, Tile total) {
      Tile inner = loop(each(4), total, [&](Tile j, Tile t) { return t + iota(8) * (i * 4 + j).to(i32); });
      return carry(count + 1, inner);
    });
    store(Y(all), total + count);
  };
  run(define, {}, {y.data()});
  for (int i = 0; i < 8; ++i)
    EXPECT_EQ(y[i], 66 * i + 3);
}

TEST(Loop, OfNoStepYieldsItsStart) {
  Ints length{0};
  Floats y(4);
  auto define = [](Kernel &k) {
    Tensor L = k.in("length", i32, {1}), Y = k.out("y", f32, {4});
    k.parallel(each(1));
    store(Y(all), loop(blocks(load(L(0)), 8), full({4}, 7), [&](Range, Tile t) { return t + 1; }));
  };
  run(define, {}, {length.data(), y.data()});
  EXPECT_EQ(y, Floats(4, 7));
}

} // namespace tessera::dsl
