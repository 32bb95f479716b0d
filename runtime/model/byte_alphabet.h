// The 256 printable characters by which byte-level BPE vocabularies spell bytes (GPT-2's bytes_to_unicode).
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tessera::model {

// The character of a byte, as UTF-8: itself for printable Latin-1, else U+0100 and on in order of value.
std::string_view spellByte(uint8_t byte);
std::string spellBytes(std::string_view bytes);
// The bytes that a spelling stands for; empty where it holds a character outside the alphabet.
std::optional<std::string> unspellBytes(std::string_view spelling);

} // namespace tessera::model
