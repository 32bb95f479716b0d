// Element types and packed weight formats, each one a row of data.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tessera {

// Plain element types. `index` is a size or position (64-bit), never stored in memory.
enum class DType : uint8_t { i1, u8, i8, i32, i64, index, f16, bf16, f32, q4_0, q4_1, q8_0 };
using enum DType;

// How a packed weight format stores a value: w = (code - bias) * scale + min, `block` consecutive values of a row
// sharing one scale (and one min where the format has it). Source: ggml's GGUF block formats (operators.md 1.6).
struct PackedFormat {
  int bits;           // of one code; the code is unsigned in panels
  int block;          // values per scale
  int bias;           // subtracted from the unsigned code
  bool hasMin;        // whether a min is stored
  int fileBlockBytes; // bytes of one block in a GGUF file
};

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  int bits; // of one element in memory; 0 for index and packed formats
  bool isFloat;
  std::optional<PackedFormat> packed;
};

// All rows, in the enum's order.
std::span<const DTypeInfo> dtypes();
const DTypeInfo &info(DType dtype);
inline std::string_view name(DType dtype) { return info(dtype).name; }
std::optional<DType> dtypeByName(std::string_view name);
inline bool isPacked(DType dtype) { return info(dtype).packed.has_value(); }

// A packed matrix [rows, columns] lies in memory as panels of `panelRows` rows, so that one panel row is one 32-bit
// vector lane of an integer dot. Panels follow each other row-panel-major: panel p holds, for each block b of 32
// columns in order, the codes of 16 rows, then 16 f16 scales, then (hasMin) 16 f16 mins. Rows past the end are zero.
// Code (row n, column k) of a 16 x 32 block, as bit k = k4..k0 and n = n3..n0:
//   8-bit: byte (k4 k3 k2 n3 n2 n1 n0 k1 k0)
//   4-bit: byte (k4 k3 n3 n2 n1 n0 k1 k0), low nibble for k2 = 0, high nibble for k2 = 1
inline constexpr int panelRows = 16;

// Bytes of one 16-row, one-block panel piece: codes, scales, mins.
int64_t panelBlockBytes(const PackedFormat &format);
// Bytes of a whole packed matrix in panels. Requires columns % block == 0.
int64_t panelBytes(DType dtype, int64_t rows, int64_t columns);
// Bytes of a dense tensor of `elements` elements, or of a packed matrix in panels (rows x columns).
int64_t denseBytes(DType dtype, int64_t elements);

} // namespace tessera
