// KernelArgument: one --arg of `tessera run-kernel`, a scalar or a buffer with what it holds at first.
#pragma once
#include "base/result.h"
#include "cli/console.h"
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::cli {

// An element type of an argument.
struct ElementType {
  std::string_view name;
  int bytes;
  enum class Kind { signedInteger, unsignedInteger, real } kind;
};

struct KernelArgument {
  const ElementType *type = nullptr;
  bool isBuffer = false;
  bool isInitialised = true;    // false for a buffer without "="
  std::vector<std::byte> bytes; // little-endian elements; a scalar's value
  int64_t count() const { return int64_t(bytes.size()) / type->bytes; }
};

// "i32=5" and "f32=1.5" are scalars. "f32[1024]" is a buffer with unspecified contents, "f32[64x64]=0" one filled with
// a value, "=iota" counts up from 0, "=random" or "=random:SEED" is uniform in [-1, 1) for floating point, in
// [-100, 100] or [0, 100] for integers, "=@FILE" is a file of exactly that size. Types: i8 u8 i16 u16 i32 u32 i64 u64
// f16 bf16 f32 f64. Errors (invalidArgument, io) quote the argument.
Result<KernelArgument> parseKernelArgument(const std::string &text);

// The first `limit` elements as numbers.
Json valuesOf(const ElementType &type, const std::vector<std::byte> &bytes, size_t limit);

} // namespace tessera::cli
