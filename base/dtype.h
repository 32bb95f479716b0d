// Element types and packed weight formats, each one a row of data.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tessera {

// Element types: plain ones; packed formats of model files; and plain values in panels (panel_*), which is how a CPU
// reads dense weights. `index` is a size or position (64-bit), never stored in memory. e4m3 and e5m2 are the 8-bit
// floats of OCP OFP8 1.0 (e4m3 has no infinity, largest 448; e5m2 largest 57344): values are stored and multiplied as
// such, all other arithmetic is on what they convert to. What is too large, infinities too, becomes the largest finite
// value.
enum class DType : uint8_t {
  i1,
  u8,
  i8,
  i32,
  i64,
  index,
  f16,
  bf16,
  f32,
  e4m3,
  e5m2,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q4_k,
  q5_k,
  q6_k,
  panel_f16,
  panel_bf16,
  panel_f32
};
using enum DType;

// How a packed format stores a value. `group` consecutive values of a row share one scale (and one min where the
// format has it), `block` consecutive values lie together:
//   w = (code - bias) * scale + min                                 where block == group: scale and min are f16
//   w = (code - bias) * scale * superScale + min * superMin         else: scale and min are bytes, the others f16, one
//                                                                   a block (superMin is the file's dmin negated)
// Where `element` is a float type the codes are the values themselves. Source: ggml's GGUF block formats (operators.md
// 1.6).
struct PackedFormat {
  int bits;           // of one code
  int block, group;   // values
  int bias;           // subtracted from the unsigned code
  bool hasMin;        // whether a min is stored
  DType scale;        // what a scale (and a min) is stored as
  int fileBlockBytes; // bytes of one block in a GGUF file; 0 where files do not hold the format
  DType element = u8; // of a code, as kernels see it

  bool isValues() const { return element != u8; }
  bool twoLevels() const { return group != block; }
  int groups() const { return block / group; }
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
inline bool isFloat8(DType dtype) { return dtype == e4m3 || dtype == e5m2; }
inline bool isPacked(DType dtype) { return info(dtype).packed.has_value(); }
// Packed with codes and scales, not values.
inline bool isQuantized(DType dtype) { return isPacked(dtype) && !info(dtype).packed->isValues(); }

// A packed matrix [rows, columns] lies in memory as panels of `panelRows` rows, so that one panel row is one 32-bit
// vector lane of a dot. Panels follow each other row-panel-major; panel p holds, for each block of columns in order:
//   the planes of the codes: the low 4 (or 8) bits of all codes, then the 1 or 2 bits above, where there are any;
//   scales [groups, 16 rows], mins [groups, 16], superScales [16], superMins [16], each where the format has it.
// Rows past the end are zero. Below are the sizes of these arrays and where they begin; in which order an array holds
// its elements is a layout (compiler/layout/panels.h), from which the packer and all loads take addresses. The oracle
// (ops/reference/formats.cpp) has formulas of its own, so that one can be judged by the other.
// Values (panel_*) have one column a block, 16 elements side by side.
inline constexpr int panelRows = 16;

struct CodePlane {
  int bits;       // of a code in this plane
  int shift;      // of the plane's lowest bit in the code
  int64_t offset; // in a panel block, in bytes
};
// One or two planes, in the order of their bits.
struct CodePlanes {
  CodePlane plane[2];
  int count;
  const CodePlane *begin() const { return plane; }
  const CodePlane *end() const { return plane + count; }
};
CodePlanes codePlanes(const PackedFormat &format);

// The arrays beside the codes: byte offset of each in a panel block (meaningless where the format has no such array).
struct PanelOffsets {
  int64_t scales, mins, superScales, superMins;
  int64_t bytes; // of the whole block
};
PanelOffsets panelOffsets(const PackedFormat &format);
inline int64_t panelBlockBytes(const PackedFormat &format) { return panelOffsets(format).bytes; }

// Bytes of a whole packed matrix in panels. Requires columns % block == 0.
int64_t panelBytes(DType dtype, int64_t rows, int64_t columns);
// Bytes of a dense tensor of `elements` elements, or of a packed matrix in panels (rows x columns).
int64_t denseBytes(DType dtype, int64_t elements);

} // namespace tessera
