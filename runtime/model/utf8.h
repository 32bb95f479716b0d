// UTF-8 as the tokenizers need it: repair of any bytes, and cuts at character borders.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace tessera::model {

inline constexpr uint32_t replacementCharacter = 0xFFFD;

void appendUtf8(std::string &out, uint32_t codePoint);

// Decodes one character at `at` and moves on. Lenient as llama.cpp is: overlong forms and surrogates decode; a byte
// that opens no complete sequence gives U+FFFD and is skipped alone.
uint32_t nextCodePoint(std::string_view text, size_t &at);

// The text re-encoded character by character through nextCodePoint: always structurally whole UTF-8, and equal to the
// input where that was valid.
std::string repairUtf8(std::string_view text);

} // namespace tessera::model
