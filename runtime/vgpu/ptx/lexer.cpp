#include "runtime/vgpu/ptx/lexer.h"
#include <bit>
#include <cstdlib>
#include <string>

namespace tessera::vgpu::ptx {
namespace {

bool isDigit(char c) { return c >= '0' && c <= '9'; }
bool isHex(char c) { return isDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isWord(char c) { return isLetter(c) || isDigit(c) || c == '_' || c == '$'; }

struct Lexer {
  std::string_view text;
  size_t at = 0;
  uint32_t line = 1;

  char peek(size_t ahead = 0) const { return at + ahead < text.size() ? text[at + ahead] : '\0'; }

  void skipBlank() {
    while (at < text.size()) {
      char c = text[at];
      if (c == '\n') {
        ++line;
        ++at;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v') {
        ++at;
      } else if (c == '/' && peek(1) == '/') {
        while (at < text.size() && text[at] != '\n')
          ++at;
      } else if (c == '/' && peek(1) == '*') {
        at += 2;
        while (at < text.size() && !(text[at] == '*' && peek(1) == '/')) {
          line += text[at] == '\n';
          ++at;
        }
        at = at + 2 < text.size() ? at + 2 : text.size();
      } else {
        return;
      }
    }
  }

  Token token(Token::Kind kind, size_t from, uint64_t bits = 0) const {
    return {kind, text.substr(from, at - from), line, bits};
  }

  Token number() {
    size_t from = at;
    if (peek() == '0' && (peek(1) == 'f' || peek(1) == 'F' || peek(1) == 'd' || peek(1) == 'D')) {
      bool single = peek(1) == 'f' || peek(1) == 'F';
      at += 2;
      uint64_t bits = 0;
      size_t digits = 0;
      for (; isHex(peek()); ++at, ++digits)
        bits = bits << 4 | uint64_t(isDigit(peek()) ? peek() - '0' : (peek() | 32) - 'a' + 10);
      if (digits != (single ? 8u : 16u))
        return token(Token::Kind::bad, from);
      return token(single ? Token::Kind::single : Token::Kind::real, from, bits);
    }
    uint64_t base = 10;
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X'))
      base = 16, at += 2;
    else if (peek() == '0' && (peek(1) == 'b' || peek(1) == 'B'))
      base = 2, at += 2;
    else if (peek() == '0' && isDigit(peek(1)))
      base = 8, at += 1;
    uint64_t bits = 0;
    bool overflow = false, real = false;
    for (; isHex(peek()); ++at) {
      char c = peek();
      if (base == 10 && (c == 'e' || c == 'E'))
        break;
      uint64_t digit = uint64_t(isDigit(c) ? c - '0' : (c | 32) - 'a' + 10);
      if (digit >= base)
        return ++at, token(Token::Kind::bad, from);
      overflow |= bits > (~0ull - digit) / base;
      bits = bits * base + digit;
    }
    if (base == 10 && (peek() == '.' ? isDigit(peek(1)) : peek() == 'e' || peek() == 'E')) {
      real = true;
      if (peek() == '.')
        for (++at; isDigit(peek());)
          ++at;
      if (peek() == 'e' || peek() == 'E') {
        ++at;
        if (peek() == '+' || peek() == '-')
          ++at;
        while (isDigit(peek()))
          ++at;
      }
    }
    if (real)
      return token(Token::Kind::real, from,
                   std::bit_cast<uint64_t>(std::strtod(std::string(text.substr(from, at - from)).c_str(), nullptr)));
    if (peek() == 'U' || peek() == 'u')
      ++at;
    return token(overflow ? Token::Kind::bad : Token::Kind::integer, from, bits);
  }

  Token next() {
    skipBlank();
    size_t from = at;
    if (at >= text.size())
      return token(Token::Kind::end, from);
    char c = text[at];
    if (c == '"') {
      size_t end = at + 1;
      while (end < text.size() && text[end] != '"' && text[end] != '\n')
        end += text[end] == '\\' && end + 1 < text.size() && text[end + 1] != '\n' ? 2 : 1;
      bool closed = end < text.size() && text[end] == '"';
      Token t{closed ? Token::Kind::string : Token::Kind::bad, text.substr(at + 1, end - at - 1), line, 0};
      at = closed ? end + 1 : end;
      return t;
    }
    if (c == '.' && isWord(peek(1))) {
      ++at;
      while (isWord(peek()) || (peek() == ':' && peek(1) == ':' && isWord(peek(2))))
        at += peek() == ':' ? 2 : 1;
      return {Token::Kind::dotted, text.substr(from + 1, at - from - 1), line, 0};
    }
    if (isDigit(c))
      return number();
    if (isWord(c) || c == '%') {
      for (++at; isWord(peek());)
        ++at;
      return token(Token::Kind::word, from);
    }
    ++at;
    constexpr std::string_view punctuation = ",;:{}()[]<>@!|+-=*/~?&^.";
    return token(punctuation.find(c) == punctuation.npos ? Token::Kind::bad : Token::Kind::punct, from);
  }
};
} // namespace

std::vector<Token> lex(std::string_view text) {
  Lexer lexer{text};
  std::vector<Token> tokens;
  do
    tokens.push_back(lexer.next());
  while (tokens.back().kind != Token::Kind::end);
  return tokens;
}

} // namespace tessera::vgpu::ptx
