// Panels of packed weights as layouts: every format's arrays fill its block once, addresses and orders lead back to
// each other, and what a vector load or a word takes is divided out of them.
#include "compiler/layout/algebra.h"
#include "compiler/layout/panels.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace tessera {
namespace {

std::vector<DType> packedTypes() {
  std::vector<DType> types;
  for (const DTypeInfo &row : dtypes())
    if (row.packed)
      types.push_back(row.dtype);
  return types;
}

// Rows, and columns of the matrix, of a part's elements.
template <class Visit> void eachElement(const PanelPart &part, Visit visit) {
  Coordinate extent = part.order.block();
  for (int64_t row = 0; row < extent[0]; ++row)
    for (int64_t column = 0; column < extent[1]; ++column)
      visit(row, column * part.columns);
}

void expectFilled(const PackedFormat &format, const std::vector<PanelPart> &parts, std::string_view what) {
  std::vector<int> owners(size_t(panelBlockBytes(format) * 8), 0);
  for (const PanelPart &part : parts) {
    EXPECT_EQ(part.order.block(), (Coordinate{panelRows, format.block / part.columns})) << what;
    eachElement(part, [&](int64_t row, int64_t column) {
      int64_t bit = part.byteOf(row, column) * 8 + part.shiftOf(row, column);
      for (int64_t i = bit; i < bit + part.bits; ++i)
        ++owners.at(size_t(i));
    });
  }
  EXPECT_EQ(std::count(owners.begin(), owners.end(), 1), int64_t(owners.size())) << what;
}

TEST(Panels, EveryBitOfABlockBelongsToOneElement) {
  for (DType dtype : packedTypes())
    expectFilled(panelOf(dtype).format, panelOf(dtype).parts, name(dtype));
}

// A row of data is all that a new format takes: these are nobody's.
TEST(Panels, FollowFromAFormatsRow) {
  using enum PanelArray;
  PackedFormat wide{6, 64, 16, 0, true, u8, 0}, single{5, 128, 128, 16, false, f16, 0},
      bytes{8, 512, 64, 0, false, i8, 0};
  auto partsOf = [](const PackedFormat &format, std::initializer_list<PanelArray> arrays) {
    std::vector<PanelPart> parts;
    for (PanelArray array : arrays)
      parts.emplace_back(array, format);
    return parts;
  };
  expectFilled(wide, partsOf(wide, {codes, highCodes, scales, mins, superScales, superMins}), "wide");
  expectFilled(single, partsOf(single, {codes, highCodes, scales}), "single");
  expectFilled(bytes, partsOf(bytes, {codes, scales, superScales}), "bytes");
}

TEST(Panels, TheBitsOfACodeAreInItsPlanes) {
  for (DType dtype : packedTypes()) {
    const Panel &panel = panelOf(dtype);
    int bits = 0;
    for (const PanelPart &part : panel.parts)
      if (part.array == PanelArray::codes || part.array == PanelArray::highCodes) {
        EXPECT_EQ(part.shift, bits) << name(dtype);
        bits += part.bits;
      }
    EXPECT_EQ(bits, panel.format.bits) << name(dtype);
  }
}

TEST(Panels, OrderAndAddressAreInverse) {
  for (DType dtype : packedTypes())
    for (const PanelPart &part : panelOf(dtype).parts) {
      LinearMap order = blockMap(part.order);
      EXPECT_EQ(part.position.compose(order), LinearMap::identity(order.inBits())) << name(dtype);
      EXPECT_EQ(order.compose(part.position), LinearMap::identity(order.outBits())) << name(dtype);
      for (int64_t i = 0; i < part.order.registers(); ++i) {
        Coordinate at = part.order.at(i, 0);
        EXPECT_EQ((part.byteOf(at[0], at[1] * part.columns) - part.offset) * 8 +
                      part.shiftOf(at[0], at[1] * part.columns),
                  i * part.bits)
            << name(dtype);
      }
    }
}

// The columns of a group have one scale, those of a block one super-scale.
TEST(Panels, ColumnsShareScales) {
  for (DType dtype : packedTypes())
    for (const PanelPart &part : panelOf(dtype).parts)
      for (int64_t column = 0; column < panelOf(dtype).format.block; ++column)
        EXPECT_EQ(part.byteOf(3, column), part.byteOf(3, column / part.columns * part.columns)) << name(dtype);
}

// The bit order, spelled out: row n = 0101, column k = 10110.
TEST(Panels, LieAsTheFormatsSay) {
  const PanelPart &nibbles = panelOf(q4_1).at(PanelArray::codes), &bytes = panelOf(q8_0).at(PanelArray::codes),
                  &fifths = panelOf(q5_0).at(PanelArray::highCodes), &tops = panelOf(q6_k).at(PanelArray::highCodes);
  EXPECT_EQ(nibbles.byteOf(5, 22), 0b10010110); // k4 k3, n, k1 k0
  EXPECT_EQ(nibbles.shiftOf(5, 22), 4);         // k2
  EXPECT_EQ(bytes.byteOf(5, 22), 0b101010110);  // k4 k3 k2, n, k1 k0
  EXPECT_EQ(bytes.shiftOf(5, 22), 0);
  EXPECT_EQ(fifths.byteOf(5, 22), 256 + 0b010110); // behind 16 x 32 nibbles: n, k1 k0
  EXPECT_EQ(fifths.shiftOf(5, 22), 0b101);         // k4 k3 k2
  EXPECT_EQ(tops.byteOf(5, 22), 2048 + 0b1010110); // behind 16 x 256 nibbles: k4, n, k1 k0
  EXPECT_EQ(tops.shiftOf(5, 22), 0b01 * 2);        // k3 k2
  EXPECT_EQ(panelOf(q4_1).at(PanelArray::mins).byteOf(5, 22), 256 + 32 + 10);
  EXPECT_EQ(panelOf(q4_k).at(PanelArray::scales).byteOf(5, 70), 2048 + 2 * 16 + 5);
  EXPECT_EQ(panelOf(q4_k).at(PanelArray::superMins).byteOf(5, 70), 2048 + 2 * 128 + 32 + 10);
  EXPECT_EQ(panelOf(panel_f32).at(PanelArray::codes).byteOf(5, 0), 20);
  EXPECT_EQ(panelOf(q8_0).find(PanelArray::mins), nullptr);
}

// An address of a whole group and row is a base and products, as the lowerings emit them.
TEST(Panels, WalkEvenlyByRowsAndByGroups) {
  for (DType dtype : packedTypes()) {
    const Panel &panel = panelOf(dtype);
    int64_t group = panel.format.group;
    for (const PanelPart &part : panel.parts)
      for (int64_t row = 0; row < panelRows; ++row)
        for (int64_t column = 0; column < panel.format.block; ++column) {
          int64_t inGroup = column % group, far = row * part.stride(0, 1) + column / group * part.stride(1, group);
          EXPECT_EQ(part.byteOf(row, column), part.byteOf(0, inGroup) + far) << name(dtype);
          EXPECT_EQ(part.shiftOf(row, column), part.shiftOf(0, inGroup)) << name(dtype);
        }
  }
}

TEST(Panels, AWordDividesItsPlane) {
  for (DType dtype : packedTypes())
    for (const PanelPart &part : panelOf(dtype).parts) {
      if (panelOf(dtype).format.isValues() || part.array > PanelArray::highCodes)
        continue;
      Layout word = part.word();
      EXPECT_EQ(word.block(), (Coordinate{1, 32 / part.bits})) << name(dtype);
      auto words = divide(part.order, word);
      ASSERT_TRUE(words) << name(dtype);
      EXPECT_EQ(product(word, *words), part.order) << name(dtype);
      // Four rows' words are 16 bytes.
      EXPECT_EQ(together(along(&Layout::reg, 0, 4), *words, &Layout::reg), 4) << name(dtype);
    }
}

// Lanes of an integer dot's right operand (16 rows by 4 columns), of halves of it, and such as no load brings.
TEST(Panels, VectorsAreDividedOutOfTheirOrder) {
  Layout quad = along(&Layout::lane, 1, 4);
  for (DType dtype : {q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k})
    for (PanelArray plane : {PanelArray::codes, PanelArray::highCodes})
      if (const PanelPart *part = panelOf(dtype).find(plane)) {
        Layout memory = part->bytes();
        for (int64_t rows : {4, 8, 16}) {
          Layout operand = product(quad, along(&Layout::lane, 0, rows));
          operand.rep = {2, 8};
          EXPECT_EQ(together(operand, memory, &Layout::lane), operand.lanes()) << name(dtype);
        }
        EXPECT_EQ(together(along(&Layout::lane, 1, 16), memory, &Layout::lane), 4) << name(dtype);
        EXPECT_EQ(together(along(&Layout::lane, 0, 16), memory, &Layout::lane), 1) << name(dtype);
        EXPECT_EQ(together(product(quad, along(&Layout::lane, 0, 32)), memory, &Layout::lane), 64) // a panel ends
            << name(dtype);
      }
  for (DType dtype : {panel_f16, panel_bf16, panel_f32})
    EXPECT_EQ(together(along(&Layout::lane, 0, 16), panelOf(dtype).at(PanelArray::codes).bytes(), &Layout::lane), 16);
  EXPECT_EQ(together(along(&Layout::reg, 0, 8), panelOf(q4_k).at(PanelArray::scales).bytes(), &Layout::reg), 8);
}

} // namespace
} // namespace tessera
