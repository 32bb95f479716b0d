#include "ops/reference/formats.h"
#include "runtime/decode/repack.h"
#include "runtime/driver/thread_pool.h"
#include <gtest/gtest.h>
#include <random>

namespace tessera::decode {

static std::vector<std::byte> randomBytes(size_t count) {
  std::mt19937 random(uint32_t(count + 1));
  std::vector<std::byte> bytes(count);
  for (std::byte &b : bytes)
    b = std::byte(random());
  return bytes;
}

static size_t fileBytes(DType format, int64_t rows, int64_t columns) {
  return size_t(rows * fileRowBytes(format, columns));
}

// The oracle's decoder of the file and encoder of panels were written from the formats' description alone.
TEST(Repack, IsBitExact) {
  ThreadPool pool(3);
  for (DType format : {q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k})
    for (int64_t rows : {1, 15, 16, 17, 576})
      for (int64_t blocks : {1, 3, 18}) {
        int64_t columns = blocks * info(format).packed->block;
        std::vector<std::byte> file = randomBytes(fileBytes(format, rows, columns));
        std::vector<std::byte> panels(size_t(panelBytes(format, rows, columns)), std::byte(0xee));
        const FileRows part = {file, rows};
        repack(format, columns, std::span(&part, 1), panels, rows % 2 ? &pool : nullptr);
        EXPECT_EQ(panels, reference::toPanels(reference::fromFile(format, rows, columns, file)))
            << name(format) << " " << rows << " x " << columns;
      }
}

TEST(Repack, PutsValuesIntoPanels) {
  for (DType format : {panel_f16, panel_bf16, panel_f32}) {
    int64_t rows = 37, columns = 50;
    std::vector<std::byte> file = randomBytes(fileBytes(format, rows, columns));
    for (std::byte &b : file)
      b &= std::byte(0x3f); // no NaN
    std::vector<std::byte> panels(size_t(panelBytes(format, rows, columns)), std::byte(0xee));
    const FileRows part = {file, rows};
    repack(format, columns, std::span(&part, 1), panels, nullptr);
    std::vector<float> values = reference::decode(info(format).packed->element, file);
    EXPECT_EQ(panels, reference::valuePanels(format, rows, columns, values)) << name(format);
  }
}

TEST(Repack, JoinsMatricesWithinAPanel) {
  for (DType format : {q4_0, q4_1, q8_0}) {
    std::vector<std::byte> file = randomBytes(fileBytes(format, 43, 64));
    size_t cut = fileBytes(format, 21, 64); // not at a panel's border
    const FileRows parts[] = {{std::span(file).first(cut), 21}, {std::span(file).subspan(cut), 22}};
    std::vector<std::byte> panels(size_t(panelBytes(format, 43, 64)));
    repack(format, 64, parts, panels, nullptr);
    EXPECT_EQ(panels, reference::toPanels(reference::fromFile(format, 43, 64, file)));
  }
}

} // namespace tessera::decode
