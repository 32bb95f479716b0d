#include "runtime/model/utf8.h"
#include "runtime/model/tokenizer.h"

namespace tessera::model {

namespace {
uint8_t byteAt(std::string_view text, size_t at) { return uint8_t(text[at]); }

// Bytes of the sequence that this byte opens; 0 for a continuation byte or one that opens nothing.
size_t sequenceLength(uint8_t lead) {
  if (lead < 0x80)
    return 1;
  if (lead < 0xC0 || lead >= 0xF8)
    return 0;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

// The range of the second byte in well-formed UTF-8 (Unicode 15, table 3-7).
bool isSecondByte(uint8_t lead, uint8_t second) {
  uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

// How many bytes at `at` belong to one well-formed or still unfinished character; `whole` says which. An impossible
// start is 1 byte that is not whole.
struct Character {
  size_t bytes;
  bool whole;
  bool possible;
};
Character characterAt(std::string_view text, size_t at) {
  uint8_t lead = byteAt(text, at);
  size_t length = sequenceLength(lead);
  if (length == 1)
    return {1, true, true};
  if (length == 0 || lead < 0xC2 || lead > 0xF4)
    return {1, false, false};
  for (size_t i = 1; i < length; ++i) {
    if (at + i == text.size())
      return {i, false, true};
    uint8_t byte = byteAt(text, at + i);
    if (i == 1 ? !isSecondByte(lead, byte) : (byte & 0xC0) != 0x80)
      return {i, false, false};
  }
  return {length, true, true};
}
} // namespace

void appendUtf8(std::string &out, uint32_t c) {
  if (c < 0x80) {
    out += char(c);
  } else if (c < 0x800) {
    out += {char(0xC0 | c >> 6), char(0x80 | (c & 0x3F))};
  } else if (c < 0x10000) {
    out += {char(0xE0 | c >> 12), char(0x80 | (c >> 6 & 0x3F)), char(0x80 | (c & 0x3F))};
  } else {
    out += {char(0xF0 | c >> 18), char(0x80 | (c >> 12 & 0x3F)), char(0x80 | (c >> 6 & 0x3F)), char(0x80 | (c & 0x3F))};
  }
}

uint32_t nextCodePoint(std::string_view text, size_t &at) {
  uint8_t lead = byteAt(text, at);
  size_t length = sequenceLength(lead);
  bool whole = length != 0 && length <= text.size() - at;
  for (size_t i = 1; whole && i < length; ++i)
    whole = (byteAt(text, at + i) & 0xC0) == 0x80;
  if (!whole) {
    ++at;
    return replacementCharacter;
  }
  uint32_t c = length == 1 ? lead : lead & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i)
    c = c << 6 | (byteAt(text, at + i) & 0x3F);
  if (c > 0x10FFFF) {
    ++at;
    return replacementCharacter;
  }
  at += length;
  return c;
}

std::string repairUtf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();)
    appendUtf8(out, nextCodePoint(text, at));
  return out;
}

std::string Utf8Stream::push(std::string_view bytes) {
  pending += bytes;
  std::string out;
  size_t at = 0;
  while (at < pending.size()) {
    Character character = characterAt(pending, at);
    if (character.possible && !character.whole)
      break;
    if (character.whole)
      out.append(pending, at, character.bytes);
    else
      appendUtf8(out, replacementCharacter);
    at += character.bytes;
  }
  pending.erase(0, at);
  return out;
}

std::string Utf8Stream::finish() {
  std::string out;
  if (!pending.empty())
    appendUtf8(out, replacementCharacter);
  pending.clear();
  return out;
}

} // namespace tessera::model
