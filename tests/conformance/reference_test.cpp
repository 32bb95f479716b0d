// The oracles judge everything else, so they are checked against hand-made cases and the host's own arithmetic.
#include "ops/reference/error.h"
#include "ops/reference/formats.h"
#include "ops/reference/reference.h"
#include <bit>
#include <cmath>
#include <gtest/gtest.h>
#include <random>

using namespace tessera;
using namespace tessera::reference;

TEST(Reference, HalfConversionsAgreeWithTheHost) {
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    float wide = float(std::bit_cast<_Float16>(uint16_t(bits)));
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(fromF16(uint16_t(bits))));
      EXPECT_TRUE(std::isnan(fromF16(toF16(fromF16(uint16_t(bits))))));
      continue;
    }
    ASSERT_EQ(std::bit_cast<uint32_t>(fromF16(uint16_t(bits))), std::bit_cast<uint32_t>(wide)) << bits;
    ASSERT_EQ(toF16(wide), bits);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    float value = std::bit_cast<float>(uint32_t(random()));
    if (i % 2) // every second one near f16's range, where rounding matters
      value = std::ldexp(float(random()) / 4294967296.0f - 0.5f, int(random() % 48) - 30);
    if (!std::isnan(value)) {
      ASSERT_EQ(toF16(value), std::bit_cast<uint16_t>(_Float16(value))) << value;
    }
  }
}

TEST(Reference, Bf16RoundsToNearestEven) {
  EXPECT_EQ(toBf16(1.0f), 0x3f80);
  EXPECT_EQ(toBf16(std::bit_cast<float>(0x3f808000u)), 0x3f80); // a tie, down to even
  EXPECT_EQ(toBf16(std::bit_cast<float>(0x3f818000u)), 0x3f82); // a tie, up to even
  EXPECT_EQ(toBf16(std::bit_cast<float>(0x3f808001u)), 0x3f81);
  EXPECT_TRUE(std::isnan(fromBf16(toBf16(NAN))));
}

// One block of each format written out by hand from the format's table.
TEST(Reference, FileBlocksDecodeByTheBook) {
  auto block = [](DType format, std::vector<int> bytes) {
    std::vector<std::byte> raw;
    for (int b : bytes)
      raw.push_back(std::byte(b));
    return fromFile(format, 1, 32, raw).values();
  };
  std::vector<int> q4{0x00, 0x40}; // d = 2
  for (int i = 0; i < 16; ++i)
    q4.push_back(i | (15 - i) << 4);
  std::vector<float> w = block(q4_0, q4);
  EXPECT_EQ(w[0], -16.0f);
  EXPECT_EQ(w[9], 2.0f);
  EXPECT_EQ(w[16], 14.0f);
  EXPECT_EQ(w[31], -16.0f);
  q4.insert(q4.begin() + 2, {0x00, 0x3c}); // m = 1
  w = block(q4_1, q4);
  EXPECT_EQ(w[0], 1.0f);
  EXPECT_EQ(w[15], 31.0f);
  EXPECT_EQ(w[16], 31.0f);
  std::vector<int> q8{0x00, 0x38}; // d = 0.5
  for (int i = 0; i < 32; ++i)
    q8.push_back(i * 8);
  w = block(q8_0, q8);
  EXPECT_EQ(w[1], 4.0f);
  EXPECT_EQ(w[16], -64.0f);
  EXPECT_EQ(w[31], -4.0f);
}

// A super-block of each two-level format with few bits set, worked out by hand from dequantize_row_* of ggml-quants.c.
TEST(Reference, SuperBlocksDecodeByTheBook) {
  auto values = [](DType format, std::vector<std::pair<int, int>> set) {
    std::vector<std::byte> raw(size_t(info(format).packed->fileBlockBytes));
    for (auto [at, byte] : set)
      raw[size_t(at)] = std::byte(byte);
    return fromFile(format, 1, 256, raw).values();
  };
  // d = 2, dmin = 0.5; group 1: scale 5, min 3; group 6: scale 0x25, min 0x1a (high bits beside groups 2's).
  std::vector<std::pair<int, int>> header = {
      {1, 0x40}, {3, 0x38}, {4 + 1, 5}, {4 + 5, 3}, {4 + 2, 0b10 << 6}, {4 + 6, 0b01 << 6}, {4 + 10, 0x5 | 0xa << 4}};
  auto with = [&](std::vector<std::pair<int, int>> more) {
    more.insert(more.end(), header.begin(), header.end());
    return more;
  };
  std::vector<float> w = values(q4_k, with({{16 + 7, 9 << 4}, {16 + 3 * 32 + 4, 11}}));
  EXPECT_EQ(w[32 + 7], 2.0f * 5 * 9 - 0.5f * 3);
  EXPECT_EQ(w[32 + 8], -0.5f * 3);
  EXPECT_EQ(w[6 * 32 + 4], 2.0f * 0x25 * 11 - 0.5f * 0x1a);
  w = values(q5_k, with({{48 + 7, 9 << 4}, {16 + 7, 1 << 1}, {48 + 3 * 32 + 4, 11}, {16 + 4, 1 << 6}}));
  EXPECT_EQ(w[32 + 7], 2.0f * 5 * (9 + 16) - 0.5f * 3);
  EXPECT_EQ(w[6 * 32 + 4], 2.0f * 0x25 * (11 + 16) - 0.5f * 0x1a);
  // Value 128 + 64 + 40: high nibble of ql[64 + 40], bits 6 and 7 of qh[32 + 8], scale 14.
  w = values(q6_k, {{64 + 40, 5 << 4}, {128 + 32 + 8, 3 << 6}, {192 + 14, 0xfe}, {209, 0x40}});
  EXPECT_EQ(w[128 + 64 + 40], 2.0f * -2 * (5 + 48 - 32));
  EXPECT_EQ(w[128 + 64 + 39], 2.0f * -2 * -32);
  EXPECT_EQ(w[0], 0.0f);
}

TEST(Reference, FilesAndPanelsHoldTheSameMatrix) {
  std::mt19937 random(7);
  for (DType format : {q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k}) {
    const PackedFormat &row = *info(format).packed;
    int64_t rows = 37, columns = 3 * row.block;
    std::vector<std::byte> file(size_t(rows * 3 * row.fileBlockBytes));
    for (std::byte &b : file)
      b = std::byte(random());
    PackedMatrix m = fromFile(format, rows, columns, file);
    EXPECT_EQ(toFile(m), file) << name(format);
    std::vector<std::byte> panels = toPanels(m);
    EXPECT_EQ(int64_t(panels.size()), panelBytes(format, rows, columns));
    PackedMatrix back = fromPanels(format, rows, columns, panels);
    EXPECT_EQ(back.codes, m.codes) << name(format);
    EXPECT_EQ(back.scale, m.scale) << name(format);
    EXPECT_EQ(back.min, m.min) << name(format);
    EXPECT_EQ(back.superScale, m.superScale) << name(format);
    EXPECT_EQ(back.superMin, m.superMin) << name(format);
  }
}

// The bit order of panels, spelled out once for a code in the middle of a panel.
TEST(Reference, PanelsFollowTheDocumentedBitOrder) {
  PackedMatrix m{q4_1, 16, 32, std::vector<uint8_t>(512), std::vector<uint16_t>(16), std::vector<uint16_t>(16)};
  m.codes[5 * 32 + 22] = 9; // n = 0101, k = 10110: byte 10 0101 10, high nibble
  std::vector<std::byte> panel = toPanels(m);
  EXPECT_EQ(int(panel[0b10010110]), 0x90);
  m.format = q8_0;
  EXPECT_EQ(int(toPanels(m)[0b101010110]), 9); // k4 k3 k2 = 101, n = 0101, k1 k0 = 10
  m.format = q5_0;
  m.codes[5 * 32 + 22] = 16;
  EXPECT_EQ(int(toPanels(m)[256 + 0b010110]), 1 << 5); // the plane of fifth bits: one bit for each quad of columns
}

TEST(Reference, QuantizationRoundsHalfToEvenAndKeepsZeroBlocks) {
  std::vector<float> x(64, 0.0f);
  x[0] = 127.0f; // d = 1
  x[1] = 2.5f;
  x[2] = 3.5f;
  x[3] = -0.5f;
  Quantized q = quantize(x, 64);
  EXPECT_EQ(q.codes[1], 2);
  EXPECT_EQ(q.codes[2], 4);
  EXPECT_EQ(q.codes[3], 0);
  EXPECT_EQ(q.sum[0], 133);
  EXPECT_EQ(q.scale[1], 0.0f);
  EXPECT_EQ(q.sum[1], 0);
}

TEST(Reference, AttentionOfEqualKeysIsTheMeanOfTheVisibleValues) {
  // Two queries at positions 1 and 2, pages of 2 out of order, one kv head under two heads.
  AttentionShape s{1, 2, 2, 2, {3, 1, 2, 1}};
  std::vector<double> q(4, 1.0), k(6, 0.5), v{30, NAN, NAN, NAN, 10, 20};
  std::vector<int32_t> table{2, 0}, length{3};
  std::vector<double> o = attention<double>(s, q, k, v, table, length);
  EXPECT_DOUBLE_EQ(o[0], 15.0);
  EXPECT_DOUBLE_EQ(o[1], 15.0);
  EXPECT_DOUBLE_EQ(o[2], 20.0);
}

TEST(Reference, AttentionCapsTiltsHidesAndSinksItsScores) {
  // One head of one coordinate, one query at position 2 over keys 1, 2, 3 with values 10, 20, 30.
  AttentionShape s{1, 1, 1, 3, {3, 1, 1, 1}};
  std::vector<double> q{1}, k{1, 2, 3}, v{10, 20, 30};
  std::vector<int32_t> table{0, 1, 2}, length{3};
  auto o = [&](const Scores &scores) { return attention<double>(s, q, k, v, table, length, scores)[0]; };
  auto expected = [](std::vector<double> scores, double sink = -INFINITY) {
    double sum = std::exp(sink), weighted = 0;
    for (size_t i = 0; i < scores.size(); ++i)
      sum += std::exp(scores[i]), weighted += std::exp(scores[i]) * 10 * double(i + 4 - scores.size());
    return weighted / sum;
  };
  EXPECT_DOUBLE_EQ(o({}), expected({1, 2, 3}));
  EXPECT_DOUBLE_EQ(o({.scale = 0.5}), expected({0.5, 1, 1.5}));
  EXPECT_DOUBLE_EQ(o({.softCap = 2}), expected({2 * std::tanh(0.5), 2 * std::tanh(1), 2 * std::tanh(1.5)}));
  EXPECT_DOUBLE_EQ(o({.window = 2}), expected({2, 3}));
  EXPECT_DOUBLE_EQ(o({.slopes = {0.25}}), expected({1 - 0.5, 2 - 0.25, 3}));
  EXPECT_DOUBLE_EQ(o({.sinks = {1.5}}), expected({1, 2, 3}, 1.5));
  EXPECT_DOUBLE_EQ(attention<double>({1, 1, 1, 3, {3, 1, 1, 1}}, q, k, v, table, std::vector<int32_t>{2})[0],
                   expected({1, 2}) - 10);
}

TEST(Reference, AlibiSlopesOfAnyNumberOfHeads) {
  EXPECT_EQ(alibiSlopes(8), (std::vector<double>{0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125, 0.00390625}));
  std::vector<double> six = alibiSlopes(6); // four of four, then the first and third of eight
  EXPECT_EQ(six, (std::vector<double>{0.25, 0.0625, 0.015625, 0.00390625, 0.5, 0.125}));
}

TEST(Reference, RopeTurnsPairsByTheirPosition) {
  RopeTables tables = ropeTables(2, 2, 10000.0);
  std::vector<double> x{1, 0, 7, 1, 0, 7}; // two tokens, one head of 3, 2 coordinates turn
  std::vector<int32_t> pos{0, 1};
  std::vector<double> y = rope<double>({1, 3, 2, false}, x, pos, tables.cosTable, tables.sinTable);
  EXPECT_DOUBLE_EQ(y[0], 1);
  EXPECT_DOUBLE_EQ(y[3], std::cos(1.0));
  EXPECT_DOUBLE_EQ(y[4], std::sin(1.0));
  EXPECT_DOUBLE_EQ(y[5], 7);
}

TEST(Reference, ANanNeverPasses) {
  std::vector<float> result{NAN};
  std::vector<double> oracle{1};
  EXPECT_TRUE(std::isinf(nmse(result, oracle)));
  EXPECT_TRUE(std::isinf(maxError(result, oracle)));
}
