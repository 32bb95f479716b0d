// Splits PTX text into tokens; never fails: what it cannot read becomes a `bad` token for the parser to name.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace tessera::vgpu::ptx {

struct Token {
  enum class Kind : uint8_t { end, word, dotted, integer, single, real, string, punct, bad };
  Kind kind = Kind::end;
  std::string_view text; // dotted: without the dot; string: without the quotes
  uint32_t line = 1;
  uint64_t bits = 0; // integer, single (32-bit pattern) and real (64-bit pattern)
  bool is(char c) const { return kind == Kind::punct && text[0] == c; }
};

// Tokens of `text`, ending with `end`. Views point into `text`.
std::vector<Token> lex(std::string_view text);

} // namespace tessera::vgpu::ptx
