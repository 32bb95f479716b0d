// Dequantize and QuantizeBlocks: bit for bit what the formats say.
#include "ops/dequantize.h"
#include "ops/quantize_blocks.h"
#include "ops/reference/formats.h"
#include "tests/conformance/on_target.h"
#include <cmath>
#include <numeric>

using namespace tessera;
using namespace tessera::conformance;

class FormatsTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, FormatsTest, testing::ValuesIn(runnableTargets()), targetName);

TEST_P(FormatsTest, DequantizeIsExact) {
  for (DType format : ops::Dequantize::dtypes) {
    int64_t rows = 19, columns = info(format).packed->twoLevels() ? 512 : 96;
    std::vector<std::byte> file = reference::randomFile(format, rows, columns, 5, /*wild=*/true);
    reference::PackedMatrix m = reference::fromFile(format, rows, columns, file);
    ops::Dequantize op{.weight = format};
    Argument y = Argument::out(f32, {rows, columns});
    launch(target(), trace(op, op.defaultConfig(target())),
           {Argument::packed(format, {rows, columns}, reference::toPanels(m)), y});
    EXPECT_EQ(y.floats(), m.values()) << name(format);
  }
}

static std::vector<uint16_t> halfs(const Argument &argument) { return argument.as<uint16_t>(); }

static void checkBlocks(const Target &target, DType format, const std::vector<float> &x, int64_t columns) {
  int64_t rows = int64_t(x.size()) / columns;
  reference::PackedMatrix want = reference::quantizeBlocks(format, x, columns);
  Argument codes = Argument::out(u8, {rows, columns}), scale = Argument::out(f16, {rows, columns / 32}),
           min = Argument::out(f16, {rows, columns / 32});
  std::vector<Argument> arguments{Argument::in(f32, {rows, columns}, x), codes, scale};
  if (info(format).packed->hasMin)
    arguments.push_back(min);
  ops::QuantizeBlocks op{.format = format};
  launch(target, trace(op, op.defaultConfig(target)), arguments);
  EXPECT_EQ(codes.as<uint8_t>(), want.codes) << name(format);
  EXPECT_EQ(halfs(scale), want.scale) << name(format);
  if (info(format).packed->hasMin)
    EXPECT_EQ(halfs(min), want.min) << name(format);
}

TEST_P(FormatsTest, QuantizeBlocksFollowsTheReference) {
  for (DType format : ops::QuantizeBlocks::dtypes)
    for (int64_t columns : {32, 160, 576})
      checkBlocks(target(), format, randomFloats(7 * columns, uint32_t(columns)), columns);
}

TEST_P(FormatsTest, QuantizeBlocksTakesZerosAndTies) {
  std::vector<float> x(96, 0.0f);
  for (int i = 0; i < 32; ++i) {
    x[32 + i] = i % 2 ? 4.0f : -4.0f; // two values of largest magnitude: the first decides the sign
    x[64 + i] = float(i) - 15.5f;     // halves between codes
  }
  x[95] = 127.0f;
  for (DType format : ops::QuantizeBlocks::dtypes)
    checkBlocks(target(), format, x, 96);
}

// y = x.to(to), 16 columns a program.
static std::vector<std::byte> converted(const Target &target, DType from, DType to, std::span<const std::byte> bytes) {
  int64_t count = int64_t(bytes.size()) * 8 / info(from).bits;
  Argument y = Argument::out(to, {count});
  launch(target,
         traceKernel("convert", std::string(name(from)) + std::string(name(to)),
                     [&](dsl::Kernel &k) {
                       dsl::Dim N = k.dims("N");
                       dsl::Tensor x = k.in("x", from, {N}), out = k.out("y", to, {N});
                       dsl::Range n = k.parallel(dsl::blocks(N, 128));
                       store(out(n), load(x(n)).to(to));
                     }),
         {Argument::packed(from, {count}, bytes), y}); // as they are
  std::span<std::byte> got = y.memory->span();
  return {got.begin(), got.end()};
}

// Every code becomes its value, and values round to the nearest code: among them all ties, subnormals and overflows.
TEST_P(FormatsTest, EightBitFloatsConvertExactly) {
  for (DType format : {e4m3, e5m2}) {
    std::vector<std::byte> codes(256);
    std::ranges::generate(codes, [next = 0]() mutable { return std::byte(next++); });
    std::vector<float> values = reference::decode(format, codes);
    std::vector<float> wide = reference::decode(f32, converted(target(), format, f32, codes));
    for (int i = 0; i < 256; ++i) {
      bool bothNan = std::isnan(wide[i]) && std::isnan(values[i]);
      EXPECT_TRUE(bothNan || wide[i] == values[i]) << name(format) << " code " << i;
    }
    std::vector<float> x = randomFloats(300, 11, 30);
    for (int i = 0; i < 0x7a; ++i)
      for (float sign : {1.0f, -1.0f}) {
        x.push_back(sign * values[i]);
        x.push_back(sign * (values[i] + values[i + 1]) / 2);                              // a tie
        x.push_back(std::nextafter(sign * (values[i] + values[i + 1]) / 2, sign * 1e9f)); // just above it
      }
    x.insert(x.end(),
             {448, 464, 480, 1e5f, 61440, 57344, 1e30f, INFINITY, -INFINITY, 0x1p-17f, 0x1p-18f, 1e-30f, -0.0f});
    std::vector<std::byte> got = converted(target(), f32, format, reference::encode(f32, x)),
                           want = reference::encode(format, x);
    for (size_t i = 0; i < x.size(); ++i)
      EXPECT_EQ(int(got[i]), int(want[i])) << name(format) << " of " << x[i];
    std::vector<float> nan{NAN, -NAN};
    for (float back : reference::decode(format, converted(target(), f32, format, reference::encode(f32, nan))))
      EXPECT_TRUE(std::isnan(back)) << name(format);
    EXPECT_EQ(converted(target(), format, f16, codes), converted(target(), f32, f16, reference::encode(f32, wide)));
  }
}
