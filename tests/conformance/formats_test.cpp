// Dequantize and QuantizeBlocks: bit for bit what the formats say.
#include "ops/dequantize.h"
#include "ops/quantize_blocks.h"
#include "ops/reference/formats.h"
#include "tests/conformance/on_target.h"

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
