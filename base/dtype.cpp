#include "base/dtype.h"
#include <array>
#include <cassert>

namespace tessera {

static constexpr std::array<DTypeInfo, 22> rows = {{
    {i1, "i1", 8, false, {}},
    {u8, "u8", 8, false, {}},
    {i8, "i8", 8, false, {}},
    {i32, "i32", 32, false, {}},
    {i64, "i64", 64, false, {}},
    {index, "index", 0, false, {}},
    {f16, "f16", 16, true, {}},
    {bf16, "bf16", 16, true, {}},
    {f32, "f32", 32, true, {}},
    {e4m3, "e4m3", 8, true, {}},
    {e5m2, "e5m2", 8, true, {}},
    {q4_0, "q4_0", 0, false, PackedFormat{4, 32, 32, 8, false, f16, 18}},
    {q4_1, "q4_1", 0, false, PackedFormat{4, 32, 32, 0, true, f16, 20}},
    {q5_0, "q5_0", 0, false, PackedFormat{5, 32, 32, 16, false, f16, 22}},
    {q5_1, "q5_1", 0, false, PackedFormat{5, 32, 32, 0, true, f16, 24}},
    {q8_0, "q8_0", 0, false, PackedFormat{8, 32, 32, 128, false, f16, 34}},
    {q4_k, "q4_k", 0, false, PackedFormat{4, 256, 32, 0, true, u8, 144}},
    {q5_k, "q5_k", 0, false, PackedFormat{5, 256, 32, 0, true, u8, 176}},
    {q6_k, "q6_k", 0, false, PackedFormat{6, 256, 16, 32, false, i8, 210}},
    {panel_f16, "panel_f16", 0, false, PackedFormat{16, 1, 1, 0, false, f16, 0, f16}},
    {panel_bf16, "panel_bf16", 0, false, PackedFormat{16, 1, 1, 0, false, f16, 0, bf16}},
    {panel_f32, "panel_f32", 0, false, PackedFormat{32, 1, 1, 0, false, f16, 0, f32}},
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

CodePlanes codePlanes(const PackedFormat &format) {
  if (format.isValues() || format.bits == 4 || format.bits == 8)
    return {{{format.bits, 0, 0}, {}}, 1};
  return {{{4, 0, 0}, {format.bits - 4, 4, int64_t(panelRows) * format.block / 2}}, 2};
}

PanelOffsets panelOffsets(const PackedFormat &format) {
  PanelOffsets at{};
  int64_t end = int64_t(panelRows) * format.block * format.bits / 8;
  auto take = [&](int64_t &slot, bool present, int64_t bytesPerRow) {
    slot = end;
    end += present ? panelRows * bytesPerRow : 0;
  };
  bool scaled = !format.isValues();
  int64_t scaleBytes = int64_t(format.groups()) * info(format.scale).bits / 8;
  take(at.scales, scaled, scaleBytes);
  take(at.mins, format.hasMin, scaleBytes);
  take(at.superScales, format.twoLevels(), 2);
  take(at.superMins, format.twoLevels() && format.hasMin, 2);
  at.bytes = end;
  return at;
}

int64_t panelBytes(DType dtype, int64_t rows, int64_t columns) {
  const PackedFormat &format = *info(dtype).packed;
  return (rows + panelRows - 1) / panelRows * (columns / format.block) * panelBlockBytes(format);
}

int64_t denseBytes(DType dtype, int64_t elements) { return elements * info(dtype).bits / 8; }

} // namespace tessera
