// The scalar types and state spaces of PTX (ISA sections 5.1 and 5.2), with sizes and names.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace tessera::vgpu::ptx {

enum class Type : uint8_t {
  none,
  pred,
  b8,
  b16,
  b32,
  b64,
  b128,
  u8,
  u16,
  u32,
  u64,
  s8,
  s16,
  s32,
  s64,
  f16,
  f16x2,
  bf16,
  bf16x2,
  tf32,
  f32,
  f32x2,
  f64,
  e4m3,
  e5m2,
  e4m3x2,
  e5m2x2,
  u16x2,
  s16x2,
  s4,
  u4,
  s2,
  u2,
  b1,
  texref
};

enum class Space : uint8_t { generic, reg, global, shared, local, constant, param };

struct TypeInfo {
  std::string_view name;
  uint8_t bits; // storage in a register; 1 for predicates
  char kind;    // 'p' predicate, 'b' bits, 'u' unsigned, 's' signed, 'f' float
};

const TypeInfo &info(Type type);
// The type a modifier names ("u32", "f16x2"), or none when it names something else.
std::optional<Type> typeNamed(std::string_view name);
// The space a modifier names; "shared::cta" and "shared::cluster" are shared.
std::optional<Space> spaceNamed(std::string_view name);
std::string_view nameOf(Space space);

inline uint32_t bytesOf(Type type) { return (info(type).bits + 7) / 8; }

} // namespace tessera::vgpu::ptx
