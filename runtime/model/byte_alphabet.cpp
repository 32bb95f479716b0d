#include "runtime/model/byte_alphabet.h"
#include "runtime/model/utf8.h"
#include <array>

namespace tessera::model {

namespace {
struct Alphabet {
  std::array<std::string, 256> spelling;
  std::array<int16_t, 0x144> byteOf; // by code point; -1 outside

  Alphabet() {
    byteOf.fill(-1);
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      uint32_t codePoint = printable ? byte : next++;
      appendUtf8(spelling[byte], codePoint);
      byteOf[codePoint] = int16_t(byte);
    }
  }
};

const Alphabet &alphabet() {
  static const Alphabet instance;
  return instance;
}
} // namespace

std::string_view spellByte(uint8_t byte) { return alphabet().spelling[byte]; }

std::string spellBytes(std::string_view bytes) {
  std::string out;
  for (char c : bytes)
    out += spellByte(uint8_t(c));
  return out;
}

std::optional<std::string> unspellBytes(std::string_view spelling) {
  std::string out;
  for (size_t at = 0; at < spelling.size();) {
    uint32_t codePoint = nextCodePoint(spelling, at);
    if (codePoint >= alphabet().byteOf.size() || alphabet().byteOf[codePoint] < 0)
      return std::nullopt;
    out += char(alphabet().byteOf[codePoint]);
  }
  return out;
}

} // namespace tessera::model
