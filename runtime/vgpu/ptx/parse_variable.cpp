// Declarations of registers and variables, with their initialisers.
#include "runtime/vgpu/ptx/parse_state.h"
#include <bit>
#include <cstring>

namespace tessera::vgpu::ptx {

// .reg .b32 %r<99>, %x;
bool Parser::parseRegisters() {
  Type type = Type::none;
  while (peek().kind == Token::Kind::dotted) {
    auto named = typeNamed(next().text);
    if (!named)
      return fail("vector registers are not supported");
    type = *named;
  }
  if (type == Type::none)
    return fail("a register needs a type");
  do {
    if (peek().kind != Token::Kind::word)
      return fail("expected a register name");
    std::string_view name = next().text;
    Scope &here = scopes[size_t(scope)];
    if (take('<')) {
      if (peek().kind != Token::Kind::integer)
        return fail("expected a count");
      here.ranges.push_back({name, next().bits, type});
      if (!expect('>'))
        return false;
    } else {
      here.registers[name] = int32_t(function->registers.size());
      function->registers.push_back({std::string(name), type});
    }
  } while (take(','));
  return expect(';');
}

// [.align n] .type [.ptr ...] name [dims]
bool Parser::parseVariableHead(Variable &variable) {
  variable.line = peek().line;
  while (peek().kind == Token::Kind::dotted) {
    std::string_view word = next().text;
    if (word == "align") {
      if (peek().kind != Token::Kind::integer || !std::has_single_bit(peek().bits) || peek().bits > 1024)
        return fail(".align needs a power of two up to 1024");
      variable.align = uint32_t(next().bits);
    } else if (word == "ptr") {
      variable.pointer = true;
      while (peek().kind == Token::Kind::dotted && spaceNamed(peek().text))
        next();
      if (takeDotted("align"))
        next();
    } else if (word == "v2" || word == "v4") {
      variable.vector = uint8_t(word[1] - '0');
    } else if (word == "attribute") {
      if (!expect('('))
        return false;
      for (int depth = 1; depth > 0; next()) {
        if (peek().kind == Token::Kind::end)
          return fail("an attribute has no closing parenthesis");
        depth += peek().is('(') ? 1 : peek().is(')') ? -1 : 0;
      }
    } else if (auto type = typeNamed(word); type && *type != Type::texref) {
      variable.type = *type;
    } else {
      return fail("unknown type ." + std::string(word));
    }
  }
  if (variable.type == Type::none || (variable.type == Type::pred && variable.space != Space::reg))
    return fail("a variable needs a type");
  if (peek().kind != Token::Kind::word)
    return fail("expected a variable name");
  declared = next().text;
  variable.name = std::string(declared);
  uint64_t element = uint64_t(bytesOf(variable.type)) * variable.vector;
  variable.align = std::max(variable.align, uint32_t(std::min<uint64_t>(element ? element : 1, 16)));
  variable.size = element;
  while (take('[')) {
    variable.array = true;
    if (take(']')) {
      variable.unsized = true;
      continue;
    }
    uint64_t count = 0;
    if (!constant(count))
      return false;
    if (count > (1ull << 40) || __builtin_mul_overflow(variable.size, count, &variable.size) ||
        variable.size > (1ull << 40))
      return fail("the array " + variable.name + " is too large");
    if (!expect(']'))
      return false;
  }
  return true;
}

// An integer or floating constant with an optional sign; bits of a double for a real.
bool Parser::constant(uint64_t &bits) {
  bool minus = false;
  while (peek().is('-') || peek().is('+'))
    minus ^= next().is('-');
  const Token &token = peek();
  if (token.kind == Token::Kind::integer)
    bits = minus ? uint64_t(-int64_t(token.bits)) : token.bits;
  else if (token.kind == Token::Kind::single)
    bits = std::bit_cast<uint64_t>(double(std::bit_cast<float>(uint32_t(token.bits))) * (minus ? -1 : 1));
  else if (token.kind == Token::Kind::real)
    bits = std::bit_cast<uint64_t>(std::bit_cast<double>(token.bits) * (minus ? -1 : 1));
  else if (token.kind == Token::Kind::word && token.text == "WARP_SZ")
    bits = 32;
  else
    return fail("expected a constant before '" + std::string(token.text.substr(0, 40)) + "'");
  next();
  return true;
}

bool Parser::parseInitialiser(Variable &variable) {
  uint32_t bytes = bytesOf(variable.type);
  uint64_t offset = 0;
  int depth = 0;
  do {
    while (take('{'))
      ++depth;
    if (depth && peek().is('}')) {
    } else if (peek().kind == Token::Kind::word && peek().text != "WARP_SZ") {
      Relocation r{offset, bytes, "", 0, false};
      if (peek().text == "generic") {
        next();
        r.generic = true;
        if (!expect('('))
          return false;
      }
      r.symbol = std::string(next().text);
      if (r.generic && !expect(')'))
        return false;
      if (peek().is('+') || peek().is('-')) {
        uint64_t addend = 0;
        if (!constant(addend))
          return false;
        r.addend = int64_t(addend);
      }
      if (bytes != 8)
        return fail("an address needs an 8-byte variable");
      variable.relocations.push_back(r);
      variable.init.resize(offset + bytes);
      offset += bytes;
    } else {
      bool real = false;
      for (size_t i = 0; i < 3; ++i)
        real |= peek(i).kind == Token::Kind::single || peek(i).kind == Token::Kind::real;
      if (peek(0).kind == Token::Kind::integer)
        real = false;
      uint64_t bits = 0;
      if (!constant(bits))
        return false;
      if (info(variable.type).kind == 'f') {
        double value = real ? std::bit_cast<double>(bits) : double(int64_t(bits));
        if (variable.type == Type::f32)
          bits = std::bit_cast<uint32_t>(float(value));
        else if (variable.type == Type::f64)
          bits = std::bit_cast<uint64_t>(value);
        else
          return fail("an initialiser of type ." + std::string(info(variable.type).name) + " is not supported");
      }
      variable.init.resize(offset + bytes);
      std::memcpy(variable.init.data() + offset, &bits, bytes);
      offset += bytes;
    }
    while (depth && take('}'))
      --depth;
  } while (depth && take(','));
  if (depth)
    return fail("an initialiser has no closing brace");
  if (variable.unsized)
    variable.size = offset, variable.unsized = false;
  if (offset > variable.size)
    return fail("too many initialisers for " + variable.name);
  return true;
}

bool Parser::parseVariables(Space space, const std::string &linkage, std::vector<Variable> &into, bool local) {
  do {
    Variable variable;
    variable.space = space;
    variable.linkage = linkage;
    if (!parseVariableHead(variable))
      return false;
    if (take('=') && !parseInitialiser(variable))
      return false;
    if (variable.unsized && space != Space::shared && linkage != "extern")
      return fail("the array " + variable.name + " has no size");
    if (local)
      scopes[size_t(scope)].variables[declared] = int32_t(into.size());
    into.push_back(std::move(variable));
  } while (take(','));
  return expect(';');
}

} // namespace tessera::vgpu::ptx
