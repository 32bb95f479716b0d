#include "runtime/vgpu/ptx/types.h"
#include <array>

namespace tessera::vgpu::ptx {
namespace {
// In the order of the enumeration.
constexpr std::array<TypeInfo, 36> rows{{
    {"", 0, 'b'},        {"pred", 1, 'p'},    {"b8", 8, 'b'},     {"b16", 16, 'b'},    {"b32", 32, 'b'},
    {"b64", 64, 'b'},    {"b128", 128, 'b'},  {"u8", 8, 'u'},     {"u16", 16, 'u'},    {"u32", 32, 'u'},
    {"u64", 64, 'u'},    {"s8", 8, 's'},      {"s16", 16, 's'},   {"s32", 32, 's'},    {"s64", 64, 's'},
    {"f16", 16, 'f'},    {"f16x2", 32, 'f'},  {"bf16", 16, 'f'},  {"bf16x2", 32, 'f'}, {"tf32", 32, 'f'},
    {"f32", 32, 'f'},    {"f32x2", 64, 'f'},  {"f64", 64, 'f'},   {"e4m3", 8, 'f'},    {"e5m2", 8, 'f'},
    {"e4m3x2", 16, 'f'}, {"e5m2x2", 16, 'f'}, {"u16x2", 32, 'u'}, {"s16x2", 32, 's'},  {"s4", 4, 's'},
    {"u4", 4, 'u'},      {"s2", 2, 's'},      {"u2", 2, 'u'},     {"b1", 1, 'b'},      {"texref", 64, 'b'},
    {"", 0, 'b'},
}};
} // namespace

const TypeInfo &info(Type type) { return rows[size_t(type)]; }

std::optional<Type> typeNamed(std::string_view name) {
  for (size_t i = 1; i + 1 < rows.size(); ++i)
    if (rows[i].name == name)
      return Type(i);
  return std::nullopt;
}

std::optional<Space> spaceNamed(std::string_view name) {
  if (name == "global")
    return Space::global;
  if (name == "shared" || name == "shared::cta" || name == "shared::cluster")
    return Space::shared;
  if (name == "local")
    return Space::local;
  if (name == "const")
    return Space::constant;
  if (name == "param" || name == "param::entry" || name == "param::func")
    return Space::param;
  if (name == "reg")
    return Space::reg;
  return std::nullopt;
}

std::string_view nameOf(Space space) {
  constexpr std::string_view names[] = {"generic", "reg", "global", "shared", "local", "const", "param"};
  return names[size_t(space)];
}

} // namespace tessera::vgpu::ptx
