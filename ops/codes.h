// Codes: how an op leaves its result in 8 bits, for a product with quantized weights to read.
#pragma once
#include "dsl/dsl.h"
#include <array>
#include <optional>
#include <string>

namespace tessera::ops {

// |x| < 2^22 to the nearest whole number, half to even: adding 1.5 · 2^23 leaves no bits for a fraction.
dsl::Tile roundHalfEven(dsl::Tile x);

// Values [rows, group] as codes [rows, group] (i32, |code| <= 127) and, per row, the scale (f32) and the codes' sum
// (i32), both [rows, 1]: scale = max|x| / 127, code = x / scale rounded half to even. A row whose scale is below 2^-100
// becomes zeros: dividing by a subnormal scale could leave the codes' range. The same operations wherever it is used,
// so the same bits.
struct Codes {
  dsl::Tile code, scale, sum;
};
Codes quantized(dsl::Tile value);

// Outputs of rows in 8 bits: codes i8 [T, D], scale f32 [T, D/group], sum i32 [T, D/group].
struct RowNames {
  dsl::Name codes = "codes", scale = "scale", sum = "sum", plain = "y";
};
struct CodeRows {
  CodeRows(dsl::Kernel &k, dsl::Dim T, dsl::Dim D, int group, const RowNames &names = {});
  // Columns j, whole groups, of row t.
  void store(dsl::Range t, dsl::Range j, dsl::Tile value) const;

private:
  dsl::Tensor codes, scale, sum;
  int group;
};

// What a row kernel leaves: rows of type `plain` [T, D], or with group > 0, a divisor of D, the same in 8 bits.
struct RowOutput {
  RowOutput(dsl::Kernel &k, dsl::Dim T, dsl::Dim D, int group, DType plain = f32, const RowNames &names = {});
  // Columns j of row t, whole groups where there are groups.
  void store(dsl::Range t, dsl::Range j, dsl::Tile value) const;

private:
  std::optional<CodeRows> codes;
  dsl::Tensor y;
  DType plain;
};

// What attention leaves: o of type `plain` [batch, queries, heads, headDim], or with group > 0, a divisor of headDim,
// codes i8 like it and scale f32 and sum i32 [batch, queries, heads, headDim/group].
struct HeadOutput {
  HeadOutput(dsl::Kernel &k, const std::array<dsl::Size, 3> &batchQueriesHeads, int headDim, int group,
             DType plain = f32);
  // Whole heads: a value with headDim last.
  void store(dsl::Subscript b, dsl::Subscript query, dsl::Subscript head, dsl::Tile value) const;

private:
  dsl::Tensor o, codes, scale, sum;
  int group;
  DType plain;
};

// Whether blocks of `columns` are whole groups; else the mistake is recorded.
inline bool wholeGroups(dsl::Kernel &k, int64_t columns, int group) {
  return k.require(group > 0 && columns % group == 0, "8-bit codes come in whole groups of " + std::to_string(group) +
                                                          " columns, but a block has " + std::to_string(columns));
}

} // namespace tessera::ops
