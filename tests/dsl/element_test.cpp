// What element-wise verbs compute, by running them.
#include "tests/dsl/machine.h"
#include <cmath>
#include <limits>

namespace tessera::dsl {

using Floats = std::vector<float>;
using Ints = std::vector<int32_t>;
using Bytes = std::vector<uint8_t>;
using SignedBytes = std::vector<int8_t>;
static constexpr float nan = std::numeric_limits<float>::quiet_NaN();
static constexpr float infinity = std::numeric_limits<float>::infinity();

TEST(Element, FloatArithmetic) {
  Floats x{1, -2.5, 0.1f, 7}, y{3, 0.5, 0.2f, -2};
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile b) { return a + b; }), (Floats{4, -2, 0.1f + 0.2f, 5}));
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile b) { return a - b; }), (Floats{-2, -3, 0.1f - 0.2f, 9}));
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile b) { return a / b; }), (Floats{1.f / 3, -5, 0.1f / 0.2f, -3.5}));
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile b) { return -(2 * a * b); }),
            (Floats{-6, 2.5, -(2 * 0.1f * 0.2f), 28}));
}

TEST(Element, CompoundAssignmentNamesANewValue) {
  Floats x{1, 2, 3}, y{10, 20, 30};
  EXPECT_EQ(map<float>(x, y, f32, f32,
                       [](Tile a, Tile b) {
                         Tile c = a;
                         c += b;
                         c *= 2;
                         c -= a;
                         c /= a;
                         return c;
                       }),
            (Floats{21, 21, 21}));
}

TEST(Element, SignedIntegersTruncateAndKeepTheirSign) {
  Ints x{7, -7, 7, -7, -2147483647}, y{2, 2, -2, -2, 16};
  EXPECT_EQ(map<int>(x, y, i32, i32, [](Tile a, Tile b) { return a / b; }), (Ints{3, -3, -3, 3, -134217727}));
  EXPECT_EQ(map<int>(x, y, i32, i32, [](Tile a, Tile b) { return a % b; }), (Ints{1, -1, 1, -1, -15}));
  EXPECT_EQ(map<int>(x, y, i32, i32, [](Tile a, Tile) { return a >> 1; }), (Ints{3, -4, 3, -4, -1073741824}));
  EXPECT_EQ(map<int>(x, y, i32, i32, [](Tile a, Tile) { return abs(-a); }), (Ints{7, 7, 7, 7, 2147483647}));
  EXPECT_EQ(map<int>(x, y, i32, i32, [](Tile a, Tile b) { return max(a, b) - min(a, b); }),
            (Ints{5, 9, 9, 5, -2147483633}));
}

TEST(Element, IntegerDivisionNeverTraps) {
  Ints x{7, INT32_MIN, INT32_MIN}, y{0, -1, 0};
  EXPECT_EQ(map<int>(x, y, i32, i32, [](Tile a, Tile b) { return a / b; }), (Ints{7, INT32_MIN, INT32_MIN}));
  EXPECT_EQ(map<int>(x, y, i32, i32, [](Tile a, Tile b) { return a % b; }), (Ints{0, 0, 0}));
}

TEST(Element, BytesAreUnsigned) {
  Bytes x{200, 255, 3, 128}, y{7, 16, 250, 127};
  EXPECT_EQ(map<uint8_t>(x, y, u8, u8, [](Tile a, Tile b) { return a / b; }), (Bytes{28, 15, 0, 1}));
  EXPECT_EQ(map<uint8_t>(x, y, u8, u8, [](Tile a, Tile) { return a >> 4; }), (Bytes{12, 15, 0, 8}));
  EXPECT_EQ(map<uint8_t>(x, y, u8, u8, [](Tile a, Tile b) { return max(a, b); }), (Bytes{200, 255, 250, 128}));
  EXPECT_EQ(map<int>(x, y, u8, i32, [](Tile a, Tile b) { return (a > b).to(i32); }), (Ints{1, 1, 0, 1}));
  EXPECT_EQ(map<uint8_t>(x, y, u8, u8, [](Tile a, Tile b) { return (a & 0xF0) | (b & 15) ^ 1; }),
            (Bytes{198, 241, 11, 142}));
  EXPECT_EQ(map<uint8_t>(x, y, u8, u8, [](Tile a, Tile) { return ~a; }), (Bytes{55, 0, 252, 127}));
}

TEST(Element, ConversionsFollowTheSign) {
  Bytes x{0, 127, 128, 255};
  EXPECT_EQ(map<float>(x, x, u8, f32, [](Tile a, Tile) { return a.to(f32); }), (Floats{0, 127, 128, 255}));
  EXPECT_EQ(map<int>(x, x, u8, i32, [](Tile a, Tile) { return a.to(i32); }), (Ints{0, 127, 128, 255}));
  EXPECT_EQ(map<int>(x, x, u8, i32, [](Tile a, Tile) { return a.to(i8).to(i32); }), (Ints{0, 127, -128, -1}));
  SignedBytes s{0, 127, -128, -1};
  EXPECT_EQ(map<float>(s, s, i8, f32, [](Tile a, Tile) { return a.to(f32); }), (Floats{0, 127, -128, -1}));
  EXPECT_EQ(map<int>(s, s, i8, i32, [](Tile a, Tile) { return a.to(i32); }), (Ints{0, 127, -128, -1}));
}

TEST(Element, FloatsBecomeIntegersTowardsZero) {
  Floats x{1.9f, -1.9f, 0.5f, 126.99f};
  EXPECT_EQ(map<int>(x, x, f32, i32, [](Tile a, Tile) { return a.to(i32); }), (Ints{1, -1, 0, 126}));
  EXPECT_EQ(map<int8_t>(x, x, f32, i8, [](Tile a, Tile) { return a.to(i8); }), (SignedBytes{1, -1, 0, 126}));
  EXPECT_EQ(map<uint8_t>(Ints{300, 258, -1, 65}, Ints(4), i32, u8, [](Tile a, Tile) { return a.to(u8); }),
            (Bytes{44, 2, 255, 65}));
  EXPECT_EQ(map<float>(Ints{1 << 24, -5, 16777217, 3}, Ints(4), i32, f32, [](Tile a, Tile) { return a.to(f32); }),
            (Floats{16777216, -5, 16777216, 3}));
}

TEST(Element, HalvesRoundToNearestEven) {
  Floats x{2049, 2051, 1.0f + 0x1p-8f, 65504, 1e-8f};
  EXPECT_EQ(map<float>(x, x, f32, f32, [](Tile a, Tile) { return a.to(f16).to(f32); }),
            (Floats{2048, 2052, 1.0f + 0x1p-8f, 65504, 0}));
  Floats y{1.0f + 0x1p-8f, 1.0f + 0x3p-8f, 1.0f + 0x1p-7f, -3, 1e38f}; // bf16 holds eight bits
  EXPECT_EQ(map<float>(y, y, f32, f32, [](Tile a, Tile) { return a.to(bf16).to(f32); }),
            (Floats{1, 1.0f + 0x1p-6f, 1.0f + 0x1p-7f, -3, 0x1.2cp126f}));
}

TEST(Element, ComparisonsWithNaNAreFalseExceptUnequal) {
  Floats x{nan, 1, nan, 2}, y{1, nan, nan, 2};
  auto compare = [&](auto f) { return map<int>(x, y, f32, i32, [&](Tile a, Tile b) { return f(a, b).to(i32); }); };
  EXPECT_EQ(compare([](Tile a, Tile b) { return a == b; }), (Ints{0, 0, 0, 1}));
  EXPECT_EQ(compare([](Tile a, Tile b) { return a != b; }), (Ints{1, 1, 1, 0}));
  EXPECT_EQ(compare([](Tile a, Tile b) { return a < b; }), (Ints{0, 0, 0, 0}));
  EXPECT_EQ(compare([](Tile a, Tile b) { return a >= b; }), (Ints{0, 0, 0, 1}));
  EXPECT_EQ(compare([](Tile a, Tile b) { return !(a <= b) & (a != 7); }), (Ints{1, 1, 1, 0}));
}

TEST(Element, MaxAndMinOfANaNIsTheSecond) {
  Floats x{nan, 1, -infinity, 2}, y{1, nan, 5, -2};
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile b) { return max(a, where(b == b, b, -9)); }),
            (Floats{1, 1, 5, 2}));
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile b) { return min(a, where(b == b, b, -9)); }),
            (Floats{1, -9, -infinity, -2}));
  Floats z = map<float>(x, y, f32, f32, [](Tile a, Tile b) { return max(a, b); });
  EXPECT_TRUE(z[0] == 1 && std::isnan(z[1]) && z[2] == 5 && z[3] == 2);
}

TEST(Element, WhereChoosesByMask) {
  Floats x{1, 2, 3, 4}, y{-1, -2, -3, -4};
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile b) { return where(a > 2, a, b); }), (Floats{-1, -2, 3, 4}));
  EXPECT_EQ(map<float>(x, y, f32, f32, [](Tile a, Tile) { return where(a > 2, 1.0, 0.25); }),
            (Floats{0.25, 0.25, 1, 1}));
  EXPECT_EQ(map<int>(x, y, f32, i32, [](Tile a, Tile) { return where(a > 2, 1, 0); }), (Ints{0, 0, 1, 1}));
}

TEST(Element, ElementaryFunctions) {
  Floats x;
  for (int i = 1; i < 60; ++i)
    x.push_back(0.13f * float(i * i % 41) + 0.01f);
  struct Case {
    const char *name;
    Tile (*ours)(Tile, Where);
    double (*exact)(double);
  };
  for (auto [name, ours, exact] :
       std::initializer_list<Case>{{"exp2", exp2, std::exp2},
                                   {"log2", log2, std::log2},
                                   {"sqrt", sqrt, std::sqrt},
                                   {"rsqrt", rsqrt, [](double v) { return 1 / std::sqrt(v); }},
                                   {"tanh", tanh, std::tanh},
                                   {"sin", sin, std::sin},
                                   {"cos", cos, std::cos},
                                   {"floor", floor, std::floor}}) {
    Floats z = map<float>(x, x, f32, f32, [&](Tile a, Tile) { return ours(a, Where::current()); });
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_NEAR(z[i], exact(x[i]), 1e-6 * std::max(1.0, std::abs(exact(x[i])))) << name << " of " << x[i];
  }
}

// One rounding: the low half of a product that the sum almost cancels is all that is left of it.
TEST(Element, FusedMultiplyAddRoundsOnce) {
  Floats x, y;
  for (int i = 1; i < 60; ++i) {
    x.push_back(1.0f + 0.37f * float(i * i % 41));
    y.push_back(-1.0f - 0.61f * float(i * i % 37));
  }
  Floats z = map<float>(x, y, f32, f32, [&](Tile a, Tile b) { return fma(a, b, -(a * b)) + fma(a, 3.0, 0.5); });
  for (size_t i = 0; i < x.size(); ++i)
    EXPECT_EQ(z[i], std::fma(x[i], y[i], -(x[i] * y[i])) + std::fma(x[i], 3.0f, 0.5f)) << i;
}

TEST(Element, DimsAndIndicesBecomeWhatTheyMeet) {
  std::vector<float> z(5);
  auto define = [](Kernel &k) {
    Dim N = k.dims("N");
    Tensor Z = k.out("z", f32, {N});
    Tile n = k.parallel(each(N));
    store(Z(n), n * 10 + (zeros({1}, i32) + n).to(f32) / N); // index * number, index with i32, dim with f32
  };
  auto wrong = traceKernel("mixed", "", define);
  ASSERT_FALSE(wrong); // a view of one element takes a scalar, not a tile of one
  auto right = [](Kernel &k) {
    Dim N = k.dims("N");
    Tensor Z = k.out("z", f32, {N});
    Tile n = k.parallel(each(N));
    Tile tenth = (n * 10).to(f32);
    store(Z(n), tenth + n.to(f32) / N);
  };
  run(right, {5}, {z.data()});
  EXPECT_EQ(z, (Floats{0, 10 + 1 / 5.f, 20 + 2 / 5.f, 30 + 3 / 5.f, 40 + 4 / 5.f}));
}

} // namespace tessera::dsl
