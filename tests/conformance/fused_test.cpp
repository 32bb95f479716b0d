// Fused kernels leave the bits of their parts one after the other.
#include "ops/arg_max.h"
#include "ops/gelu_and_mul.h"
#include "ops/kv_append.h"
#include "ops/pointwise.h"
#include "ops/quant_matmul.h"
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/rope_append.h"
#include "ops/rope_tables.h"
#include "ops/silu_and_mul.h"
#include "tests/conformance/attention_case.h"
#include "tests/conformance/on_target.h"

using namespace tessera;
using namespace tessera::conformance;

class FusedTest : public OnTarget {
protected:
  template <class Op> bool run(const Op &op, std::vector<Argument> arguments) {
    return launch(target(), trace(op, op.defaultConfig(target())), std::move(arguments));
  }
};
INSTANTIATE_TEST_SUITE_P(, FusedTest, testing::ValuesIn(runnableTargets()), targetName);

namespace {

// The three arguments of rows in 8 bits.
struct CodeArguments {
  CodeArguments(int64_t rows, int64_t columns, int64_t group)
      : codes(Argument::out(i8, {rows, columns})), scale(Argument::out(f32, {rows, columns / group})),
        sum(Argument::out(i32, {rows, columns / group})) {}
  Argument codes, scale, sum;
};

void expectCodes(const CodeArguments &got, const std::vector<float> &values, int64_t columns, int64_t group,
                 const std::string &what) {
  reference::Quantized expected = reference::quantize(values, columns, group);
  EXPECT_EQ(got.codes.as<int8_t>(), expected.codes) << what;
  EXPECT_EQ(got.scale.floats(), expected.scale) << what;
  EXPECT_EQ(got.sum.as<int32_t>(), expected.sum) << what;
}

// The same values but for the last bit before they were rounded.
void expectNearCodes(const CodeArguments &got, const std::vector<float> &values, int64_t columns, int64_t group,
                     const std::string &what) {
  std::vector<int8_t> codes = got.codes.as<int8_t>();
  std::vector<float> scale = got.scale.floats(), result;
  std::vector<int32_t> sums(scale.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    result.push_back(float(codes[i]) * scale[i / size_t(group)]);
    sums[i / size_t(group)] += codes[i];
  }
  EXPECT_EQ(got.sum.as<int32_t>(), sums) << what;
  EXPECT_LE(reference::nmse(result, reference::quantize(values, columns, group).values), 1e-5) << what;
}

} // namespace

TEST_P(FusedTest, NormsLeaveCodes) {
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{1, 576}, {7, 160}, {2, 2304}})
    for (bool residual : {false, true})
      for (int group : {16, 32}) {
        Argument x = Argument::in(f32, {rows, columns}, randomFloats(rows * columns, 1)),
                 w = Argument::in(f32, {columns}, randomFloats(columns, 2)), y = Argument::out(f32, {rows, columns});
        auto r = [&] { return Argument::inOut(f32, {rows, columns}, randomFloats(rows * columns, 3)); };
        Argument sum = r(), fusedSum = r();
        CodeArguments q(rows, columns, group);
        ops::RmsNorm op{.residual = residual}, fused{.residual = residual, .group = group};
        if (residual) {
          run(op, {x, sum, w, y, Argument::scalar(1e-5)});
          run(fused, {x, fusedSum, w, q.codes, q.scale, q.sum, Argument::scalar(1e-5)});
          EXPECT_EQ(sum.floats(), fusedSum.floats());
        } else {
          run(op, {x, w, y, Argument::scalar(1e-5)});
          run(fused, {x, w, q.codes, q.scale, q.sum, Argument::scalar(1e-5)});
        }
        std::string what = std::to_string(columns) + " columns in " + std::to_string(group);
        if (target().vendor == Vendor::cpu)
          expectCodes(q, y.floats(), columns, group, what);
        else // the tree of a row's sum depends on the warps, which the two kernels may take differently
          expectNearCodes(q, y.floats(), columns, group, what);
      }
}

// Against the gate and the quantization one after the other, bit for bit, and against the oracle.
TEST_P(FusedTest, GatesLeaveCodes) {
  auto check = [&](const auto &plain, const auto &fused, const std::vector<float> &x, int64_t d,
                   const std::vector<double> &oracle) {
    int64_t rows = int64_t(x.size()) / (2 * d), group = fused.group;
    Argument in = Argument::in(f32, {rows, 2 * d}, x), y = Argument::out(f32, {rows, d});
    CodeArguments q(rows, d, group);
    run(plain, {in, y});
    run(fused, {in, q.codes, q.scale, q.sum});
    std::string what = std::string(fused.name) + " of " + std::to_string(d) + " columns in " + std::to_string(group);
    expectCodes(q, y.floats(), d, group, what);
    expectNearCodes(q, {oracle.begin(), oracle.end()}, d, group, what);
  };
  for (auto [rows, d] : {std::pair<int64_t, int64_t>{1, 1536}, {7, 160}, {2, 32}, {33, 288}})
    for (int group : {16, 32}) {
      std::vector<float> x = randomFloats(rows * d * 2, 9, 3);
      check(ops::SiluAndMul{}, ops::SiluAndMul{.group = group}, x, d, reference::siluAndMul<double>(widen(x), d));
      for (bool tanh : {false, true})
        check(ops::GeluAndMul{.tanh = tanh}, ops::GeluAndMul{.tanh = tanh, .group = group}, x, d,
              reference::geluAndMul(widen(x), d, tanh));
    }
  std::vector<float> saturated(128, 1.0f); // gates of 32 columns, and of 32 more
  std::fill_n(saturated.begin(), 31, -1e30f);
  saturated[31] = 0, saturated[32] = 1e30f;
  check(ops::SiluAndMul{}, ops::SiluAndMul{.group = 32}, saturated, 64,
        reference::siluAndMul<double>(widen(saturated), 64));
}

TEST_P(FusedTest, AttentionLeavesCodes) {
  for (int64_t queries : {1, 3})
    for (int split : {0, 32}) {
      Sequences s{{6, 2, 64, 16, f16}, {37, 70}};
      s.op.split = split;
      s.op.partial = split && queries == 1;
      Paged paged = layOut(s, queries);
      ops::Attention::Config config = s.op.defaultConfig(target(), queries);
      std::vector<float> o = conformance::run(target(), s.op, paged, config);
      s.op.codeGroup = 32;
      reference::Quantized got = runCodes(target(), s.op, paged, config), expected = reference::quantize(o, 64, 32);
      EXPECT_EQ(got.codes, expected.codes) << queries << " queries, split " << split;
      EXPECT_EQ(got.scale, expected.scale) << queries << " queries, split " << split;
      EXPECT_EQ(got.sum, expected.sum) << queries << " queries, split " << split;
    }
}

// ---- products ----

namespace {

struct Product {
  int64_t m, n, k;
  std::vector<Argument> left; // A, or its codes, scales and sums
  Argument weights;
};
Product product(DType weight, int64_t m, int64_t n, int64_t k) {
  Product p{m, n, k, {}, {}};
  std::vector<float> a = randomFloats(m * k, 3);
  if (!isQuantized(weight)) {
    p.left = {Argument::in(f32, {m, k}, a)};
    p.weights = Argument::packed(weight, {n, k}, reference::valuePanels(weight, n, k, randomFloats(n * k, 4, 0.05f)));
    return p;
  }
  int64_t group = info(weight).packed->group;
  reference::Quantized q = reference::quantize(a, k, group);
  p.left = {Argument::in({m, k}, q.codes), Argument::in(f32, {m, k / group}, q.scale),
            Argument::in({m, k / group}, q.sum)};
  p.weights = Argument::packed(
      weight, {n, k}, reference::toPanels(reference::fromFile(weight, n, k, reference::randomFile(weight, n, k, 4))));
  return p;
}

bool runProduct(const Target &target, const ops::QuantMatmul &op, const Product &p, std::vector<Argument> rest) {
  std::vector<Argument> arguments = p.left;
  arguments.push_back(p.weights);
  arguments.insert(arguments.end(), rest.begin(), rest.end());
  return launch(target, trace(op, op.defaultConfig(target, p.m)), arguments);
}

std::vector<float> plainProduct(const Target &target, DType weight, const Product &p) {
  Argument c = Argument::out(f32, {p.m, p.n});
  runProduct(target, {.weight = weight}, p, {c});
  return c.floats();
}

} // namespace

TEST_P(FusedTest, ProductsAddABias) {
  for (DType weight : {q4_1, q8_0, panel_f16})
    for (int64_t m : {1, 5}) {
      Product p = product(weight, m, 48, 96);
      std::vector<float> expected = plainProduct(target(), weight, p), bias = randomFloats(48, 7);
      for (size_t i = 0; i < expected.size(); ++i)
        expected[i] += bias[i % 48];
      Argument c = Argument::out(f32, {m, 48});
      runProduct(target(), {.weight = weight, .bias = true}, p, {Argument::in(f32, {48}, bias), c});
      EXPECT_EQ(c.floats(), expected) << name(weight) << " m=" << m;
    }
}

TEST_P(FusedTest, ProductsFillASliceOfTheirOutput) {
  for (int64_t m : {1, 5}) {
    Product p = product(q4_1, m, 40, 64);
    std::vector<float> part = plainProduct(target(), q4_1, p), expected = randomFloats(m * 100, 8);
    Argument c = Argument::inOut(f32, {m, 100}, expected);
    for (int64_t i = 0; i < m * 40; ++i)
      expected[i / 40 * 100 + 48 + i % 40] = part[i];
    runProduct(target(), {.weight = q4_1, .slice = true}, p, {c, Argument::scalar(int64_t(48))});
    EXPECT_EQ(c.floats(), expected) << "m=" << m;
  }
}

// Gates and ups in turns of 32 rows, against the product of all rows, the gate's own kernel and the quantization.
TEST_P(FusedTest, ProductsAreGatedAndLeaveCodes) {
  for (DType weight : {q4_1, q8_0, q6_k, panel_f16})
    for (int64_t m : {1, 5}) {
      int64_t d = 96, k = weight == q6_k ? 256 : 64;
      Product p = product(weight, m, 2 * d, k);
      std::vector<float> turns = plainProduct(target(), weight, p), halves(turns.size());
      for (int64_t row = 0; row < m; ++row)
        for (int64_t i = 0; i < d; ++i)
          for (int64_t up : {0, 1})
            halves[row * 2 * d + up * d + i] = turns[row * 2 * d + i / 32 * 64 + up * 32 + i % 32];
      for (ops::Activation gate : {ops::Activation::silu, ops::Activation::geluTanh}) {
        Argument x = Argument::in(f32, {m, 2 * d}, halves), y = Argument::out(f32, {m, d}),
                 c = Argument::out(f32, {m, d});
        if (gate == ops::Activation::silu)
          run(ops::SiluAndMul{}, {x, y});
        else
          run(ops::GeluAndMul{.tanh = true}, {x, y});
        runProduct(target(), {.weight = weight, .gate = gate}, p, {c});
        EXPECT_EQ(c.floats(), y.floats()) << name(weight) << " m=" << m;
        for (int group : {16, 32}) {
          CodeArguments q(m, d, group);
          runProduct(target(), {.weight = weight, .gate = gate, .group = group}, p, {q.codes, q.scale, q.sum});
          expectCodes(q, y.floats(), d, group, std::string(name(weight)) + " m=" + std::to_string(m));
        }
      }
    }
}

// ---- rope and the cache ----

TEST_P(FusedTest, RopeAppendIsNormRopeAndAppend) {
  struct Case {
    int rotaryDim;
    bool interleaved, norms, keyColumns;
    int pageSize;
  };
  constexpr int64_t tokens = 3, heads = 6, kvHeads = 2, d = 48, pages = 4;
  for (Case c : {Case{48, false, false, true, 16},
                 {48, true, false, false, 4},
                 {32, false, true, false, 5},
                 {32, true, true, true, 16}}) {
    std::vector<float> qkv = randomFloats(tokens * (heads + 2 * kvHeads) * d, 5);
    std::vector<int32_t> pos{3, 17, 40}, slots{c.pageSize + 1, 0, 3 * c.pageSize + 2};
    ops::RopeTable table = ops::ropeTable(ops::ropeFrequencies(c.rotaryDim, 1e4, {}, 64), 64);
    Argument cosines = Argument::in(f32, {64, c.rotaryDim / 2}, table.cos),
             sines = Argument::in(f32, {64, c.rotaryDim / 2}, table.sin), eps = Argument::scalar(1e-6),
             qNorm = Argument::in(f32, {d}, randomFloats(d, 6)), kNorm = Argument::in(f32, {d}, randomFloats(d, 7)),
             positions = Argument::in({tokens}, pos), where = Argument::in({tokens}, slots);
    // Heads [first, first + count) of every token, as the separate kernels leave them.
    auto part = [&](int64_t first, int64_t count, const Argument *norm) {
      std::vector<float> x;
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t i = 0; i < count * d; ++i)
          x.push_back(qkv[(t * (heads + 2 * kvHeads) + first) * d + i]);
      if (!norm)
        return x;
      if (c.norms) {
        Argument y = Argument::out(f32, {tokens * count, d});
        run(ops::RmsNorm{}, {Argument::in(f32, {tokens * count, d}, x), *norm, y, eps});
        x = y.floats();
      }
      Argument turned = Argument::inOut(f32, {tokens, count, d}, x);
      run(ops::Rope{int(count), int(d), c.rotaryDim, c.interleaved, {}}, {turned, positions, cosines, sines});
      return turned.floats();
    };
    Shape keyShape = c.keyColumns ? Shape{pages, kvHeads, d, c.pageSize} : Shape{pages, kvHeads, c.pageSize, d},
          valueShape = {pages, kvHeads, c.pageSize, d};
    auto cache = [&](const Shape &shape) {
      return Argument::inOut(f16, shape, randomFloats(pages * kvHeads * d * c.pageSize, 9));
    };
    Argument K = cache(keyShape), V = cache(valueShape), fusedK = cache(keyShape), fusedV = cache(valueShape);
    run(ops::KvAppend{kvHeads, d, c.pageSize, f16, c.keyColumns},
        {Argument::in(f32, {tokens, kvHeads, d}, part(heads, kvHeads, &kNorm)),
         Argument::in(f32, {tokens, kvHeads, d}, part(heads + kvHeads, kvHeads, nullptr)), where, K, V});
    Argument q = Argument::out(f32, {tokens, heads, d});
    std::vector<Argument> arguments{Argument::in(f32, {tokens, heads + 2 * kvHeads, d}, qkv), where, positions, cosines,
                                    sines};
    if (c.norms)
      arguments.insert(arguments.end(), {qNorm, kNorm, eps});
    arguments.insert(arguments.end(), {q, fusedK, fusedV});
    run(ops::RopeAppend{heads, kvHeads, d, c.rotaryDim, c.interleaved, c.norms, c.pageSize, f16, c.keyColumns},
        arguments);
    EXPECT_EQ(q.floats(), part(0, heads, &qNorm)) << c.rotaryDim << c.interleaved << c.norms;
    std::vector<double> weight = c.norms ? widen(qNorm.floats()) : std::vector<double>();
    std::vector<double> oracle =
        reference::ropeAppend({heads, d, c.rotaryDim, c.interleaved}, {widen(qkv), heads + 2 * kvHeads, 0}, weight, pos,
                              {widen(table.cos), widen(table.sin)});
    EXPECT_LE(reference::nmse(q.floats(), oracle), 1e-10) << c.rotaryDim << c.interleaved << c.norms;
    EXPECT_EQ(fusedK.floats(), K.floats()) << c.rotaryDim << c.interleaved << c.norms;
    EXPECT_EQ(fusedV.floats(), V.floats()) << c.rotaryDim << c.interleaved << c.norms;
  }
}

// ---- the greedy choice in parts ----

TEST_P(FusedTest, ArgMaxInPartsTakesTheLowestOfEquals) {
  constexpr int64_t rows = 2, columns = 700;
  std::vector<float> low(rows * columns, -5.0f), none(rows * columns, -INFINITY);
  std::vector<std::vector<float>> cases{randomFloats(rows * columns, 11), low, none};
  for (auto [first, second] : {std::pair{0, 699}, {127, 128}, {255, 256}, {511, 600}, {690, 699}}) {
    cases.push_back(randomFloats(rows * columns, 12));
    cases.back()[first] = cases.back()[second] = cases.back()[columns + second] = 1000;
  }
  cases.push_back(randomFloats(rows * columns, 13));
  std::fill_n(cases.back().begin(), columns, NAN);
  ops::ArgMax op;
  ops::ArgMax::Config config = op.defaultConfig(target());
  op.columns = std::max(config.bc, 256);
  int64_t parts = (columns + op.columns - 1) / op.columns + 1; // one that is empty
  for (const std::vector<float> &x : cases) {
    Argument best = Argument::out(f32, {rows, parts}), place = Argument::out(i32, {rows, parts}),
             y = Argument::out(i32, {rows});
    launch(target(), trace(op, config), {Argument::in(f32, {rows, columns}, x), best, place});
    run(ops::ArgMaxMerge{}, {best, place, y});
    EXPECT_EQ(y.as<int32_t>(), reference::argMax(widen(x), columns));
  }
}
