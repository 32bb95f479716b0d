// The parts of the GGUF format that its reader and its writer share.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tessera::model {

enum class GgufType : uint32_t { u8, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };

inline constexpr uint32_t ggufVersion = 3;
inline constexpr uint64_t ggufDefaultAlignment = 32;

// One metadata value where it lies in the file: a scalar, a string's bytes, or an array's elements back to back
// (strings with their 64-bit lengths).
struct GgufValue {
  GgufType type;
  GgufType element; // of an array
  uint64_t count;   // of an array
  std::span<const std::byte> bytes;
};

// "metadata key 'x'" texts: printable, at most 64 characters of the original.
std::string quoted(std::string_view text);

} // namespace tessera::model
