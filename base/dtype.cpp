#include "base/dtype.h"
#include <array>
#include <cassert>

namespace tessera {

static constexpr std::array<DTypeInfo, 12> rows = {{
    {i1, "i1", 8, false, {}},
    {u8, "u8", 8, false, {}},
    {i8, "i8", 8, false, {}},
    {i32, "i32", 32, false, {}},
    {i64, "i64", 64, false, {}},
    {index, "index", 0, false, {}},
    {f16, "f16", 16, true, {}},
    {bf16, "bf16", 16, true, {}},
    {f32, "f32", 32, true, {}},
    {q4_0, "q4_0", 0, false, PackedFormat{4, 32, 8, false, 18}},
    {q4_1, "q4_1", 0, false, PackedFormat{4, 32, 0, true, 20}},
    {q8_0, "q8_0", 0, false, PackedFormat{8, 32, 128, false, 34}},
}};

std::span<const DTypeInfo> dtypes() { return rows; }

const DTypeInfo &info(DType dtype) {
  const DTypeInfo &row = rows[size_t(dtype)];
  assert(row.dtype == dtype);
  return row;
}

std::optional<DType> dtypeByName(std::string_view name) {
  for (const DTypeInfo &row : rows)
    if (row.name == name)
      return row.dtype;
  return std::nullopt;
}

int64_t panelBlockBytes(const PackedFormat &format) {
  int64_t codes = int64_t(panelRows) * format.block * format.bits / 8;
  return codes + panelRows * 2 * (format.hasMin ? 2 : 1);
}

int64_t panelBytes(DType dtype, int64_t rows, int64_t columns) {
  const PackedFormat &format = *info(dtype).packed;
  return (rows + panelRows - 1) / panelRows * (columns / format.block) * panelBlockBytes(format);
}

int64_t denseBytes(DType dtype, int64_t elements) { return elements * info(dtype).bits / 8; }

} // namespace tessera
