// Exact conversions of the stored number formats: f16, bf16, and packed weights in file blocks and in panels.
// Written from the format's description alone, so that it can judge the runtime's repacking. Thread-safe.
#pragma once
#include "base/dtype.h"
#include <cstdint>
#include <span>
#include <vector>

namespace tessera::reference {

// IEEE binary16 and bfloat16; narrowing rounds to nearest, ties to even, overflow to infinity.
float fromF16(uint16_t bits);
uint16_t toF16(float value);
float fromBf16(uint16_t bits);
uint16_t toBf16(float value);
// OCP OFP8 1.0: e4m3 or e5m2; narrowing rounds to nearest, ties to even, what is too large to the largest finite value.
float fromFloat8(DType dtype, uint8_t bits);
uint8_t toFloat8(DType dtype, float value);

// Bytes of `values` as dtype (f32, f16, bf16, e4m3, e5m2), and back.
std::vector<std::byte> encode(DType dtype, std::span<const float> values);
std::vector<float> decode(DType dtype, std::span<const std::byte> bytes);

// A packed matrix taken apart: with one level w = (code - bias) · scale + min; with two w = (code - bias) · scale ·
// superScale - min · superMin. One rounding to f32 at most (as ggml computes it).
struct PackedMatrix {
  DType format;
  int64_t rows, columns;
  std::vector<uint8_t> codes;  // [rows, columns], unsigned: bias not subtracted
  std::vector<uint16_t> scale; // [rows, columns / group]: f16 bits, or the stored byte where there are two levels
  std::vector<uint16_t> min;   // likewise; empty where the format has none
  std::vector<uint16_t> superScale = {}, superMin = {}; // [rows, columns / block], f16 bits; empty likewise
  std::vector<float> values() const;
};
// GGUF file blocks (operators.md 1.6), row after row. Requires columns % block == 0.
PackedMatrix fromFile(DType format, int64_t rows, int64_t columns, std::span<const std::byte> bytes);
std::vector<std::byte> toFile(const PackedMatrix &matrix);
// 16-row panels (docs/design/0016); rows past the end are zero.
PackedMatrix fromPanels(DType format, int64_t rows, int64_t columns, std::span<const std::byte> bytes);
std::vector<std::byte> toPanels(const PackedMatrix &matrix);
// x [rows, columns] in a one-level format, as ggml's reference quantizers make it, in f32.
PackedMatrix quantizeBlocks(DType format, std::span<const float> x, int64_t columns);
// Bytes of a random matrix in a file: any code, but scales that keep weights of a usual size (`wild`: any finite f16).
std::vector<std::byte> randomFile(DType format, int64_t rows, int64_t columns, uint32_t seed, bool wild = false);
// Values in 16-row panels (panel_f16, panel_bf16, panel_f32), rounded.
std::vector<std::byte> valuePanels(DType format, int64_t rows, int64_t columns, std::span<const float> values);

} // namespace tessera::reference
