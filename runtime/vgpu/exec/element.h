// Elements of matrix operands: how many share a register, and what number each one is.
#pragma once
#include "runtime/vgpu/exec/numeric.h"
#include "runtime/vgpu/ptx/types.h"

namespace tessera::vgpu {

inline float elementAsFloat(uint32_t bits, ptx::Type type) {
  switch (type) {
  case ptx::Type::f16:
    return fromF16(uint16_t(bits));
  case ptx::Type::bf16:
    return fromBf16(uint16_t(bits));
  case ptx::Type::tf32:
    return std::bit_cast<float>(bits & 0xffffe000); // the low 13 bits do not take part
  case ptx::Type::e4m3:
    return fromFp8(uint8_t(bits), false);
  case ptx::Type::e5m2:
    return fromFp8(uint8_t(bits), true);
  default:
    return std::bit_cast<float>(bits);
  }
}

inline int32_t elementAsInteger(uint32_t bits, ptx::Type type) {
  switch (type) {
  case ptx::Type::s8:
    return int8_t(bits);
  case ptx::Type::u8:
    return uint8_t(bits);
  case ptx::Type::s4:
    return int32_t(bits << 28) >> 28;
  case ptx::Type::u4:
    return int32_t(bits & 15);
  default:
    return int32_t(bits & 1);
  }
}

inline uint32_t elementOf(uint32_t word, uint32_t index, uint32_t bits) {
  return bits == 32 ? word : word >> (index * bits) & ((1u << bits) - 1);
}

inline bool isIntegerElement(ptx::Type type) {
  return type == ptx::Type::s8 || type == ptx::Type::u8 || type == ptx::Type::s4 || type == ptx::Type::u4 ||
         type == ptx::Type::b1;
}

// 256 values of the 8-bit formats, so that hot loops look them up.
inline const float *fp8Table(bool e5m2) {
  static const auto tables = [] {
    struct {
      float value[2][256];
    } t;
    for (int k = 0; k < 256; ++k) {
      t.value[0][k] = fromFp8(uint8_t(k), false);
      t.value[1][k] = fromFp8(uint8_t(k), true);
    }
    return t;
  }();
  return tables.value[e5m2];
}

} // namespace tessera::vgpu
