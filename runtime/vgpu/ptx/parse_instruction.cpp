// One instruction: guard, opcode with its modifiers as a set, operands.
#include "runtime/vgpu/ptx/opcodes.h"
#include "runtime/vgpu/ptx/parse_state.h"
#include "runtime/vgpu/ptx/refusals.h"
#include <algorithm>

namespace tessera::vgpu::ptx {

int32_t Parser::findRegister(std::string_view name) {
  for (int32_t s = scope; s >= 0; s = scopes[size_t(s)].parent) {
    Scope &here = scopes[size_t(s)];
    if (auto found = here.registers.find(name); found != here.registers.end())
      return found->second;
    size_t digits = name.size();
    while (digits > 0 && name[digits - 1] >= '0' && name[digits - 1] <= '9')
      --digits;
    if (digits == name.size() || name.size() - digits > 9 || here.ranges.empty())
      continue;
    // The prefix of a range may itself end in digits.
    for (const Scope::Range &range : here.ranges) {
      if (range.prefix.size() < digits || range.prefix.size() >= name.size() || !name.starts_with(range.prefix))
        continue;
      uint64_t number = 0;
      for (char c : name.substr(range.prefix.size()))
        number = number * 10 + uint64_t(c - '0');
      if (number >= range.count)
        continue;
      auto index = int32_t(function->registers.size());
      function->registers.push_back({std::string(name), range.type});
      return here.registers[name] = index;
    }
  }
  return -1;
}

int32_t Parser::findVariable(std::string_view name) const {
  for (int32_t s = scope; s >= 0; s = scopes[size_t(s)].parent) {
    const auto &variables = scopes[size_t(s)].variables;
    if (auto found = variables.find(name); found != variables.end())
      return found->second;
  }
  return -1;
}

// A register, special register, variable, label or function.
bool Parser::parseName(Operand &operand) {
  const Token &token = next();
  operand.name = token.text;
  if (token.text == "_") {
    operand.kind = Operand::Kind::sink;
    return true;
  }
  if (token.text == "WARP_SZ") {
    operand.kind = Operand::Kind::immediate;
    operand.bits = 32;
    return true;
  }
  if (int32_t reg = findRegister(token.text); reg >= 0) {
    operand.kind = Operand::Kind::reg;
    operand.reg = reg;
    return true;
  }
  if (token.text.starts_with('%')) {
    operand.kind = Operand::Kind::special;
    if (peek().kind == Token::Kind::dotted && peek().text.size() == 1)
      operand.component = next().text[0];
    return true;
  }
  operand.kind = Operand::Kind::symbol;
  operand.variable = findVariable(token.text);
  return true;
}

// [name], [name+4], [%r+-4], [4], [%rd, {%r1, %r2}], [%rd, {...}, ...]
bool Parser::parseAddress(Operand &operand) {
  operand.kind = Operand::Kind::address;
  uint32_t line = peek().line;
  if (peek().kind == Token::Kind::word) {
    Operand base;
    if (!parseName(base))
      return false;
    if (base.kind == Operand::Kind::special || base.kind == Operand::Kind::sink)
      return fail(std::string(base.name) + " is not declared", line);
    operand.reg = base.reg;
    operand.name = base.kind == Operand::Kind::symbol ? base.name : std::string_view();
    operand.variable = base.variable;
  } else {
    uint64_t bits = 0;
    if (!constant(bits))
      return false;
    operand.offset = int64_t(bits);
  }
  while (peek().is('+') || peek().is('-')) {
    uint64_t bits = 0;
    if (!constant(bits))
      return false;
    operand.offset = int64_t(uint64_t(operand.offset) + bits);
  }
  while (take(',')) {
    Operand element;
    if (!parseOperand(element))
      return false;
    operand.elements.push_back(std::move(element));
  }
  return expect(']');
}

bool Parser::parseOperand(Operand &operand) {
  const Token &token = peek();
  if (take('[')) {
    if (!parseAddress(operand))
      return false;
  } else if (token.is('{') || token.is('(')) {
    char close = token.is('{') ? '}' : ')';
    operand.kind = close == '}' ? Operand::Kind::vector : Operand::Kind::list;
    next();
    while (!peek().is(close)) {
      Operand element;
      if (peek().is('{') || peek().is('('))
        return fail("a vector inside a vector");
      if (!parseOperand(element))
        return false;
      operand.elements.push_back(std::move(element));
      if (!take(','))
        break;
    }
    if (!expect(close))
      return false;
  } else if (take('!')) {
    operand.negated = true;
    if (peek().kind != Token::Kind::word || !parseName(operand) || operand.kind != Operand::Kind::reg)
      return fail("expected a predicate after '!'", token.line);
  } else if (token.kind == Token::Kind::word) {
    if (!parseName(operand))
      return false;
    if (operand.kind == Operand::Kind::symbol && (peek().is('+') || peek().is('-'))) {
      uint64_t addend = 0;
      if (!constant(addend))
        return false;
      operand.offset = int64_t(addend);
    }
  } else if (token.is('-') && peek(1).kind == Token::Kind::word) {
    return fail("a negated register is not an operand");
  } else {
    size_t sign = token.is('-') || token.is('+');
    Token::Kind kind = peek(sign).kind;
    operand.kind = Operand::Kind::immediate;
    operand.real = kind == Token::Kind::single || kind == Token::Kind::real;
    operand.single = kind == Token::Kind::single && !sign;
    if (operand.single)
      operand.bits = next().bits; // keeps the payload of a NaN
    else if (!constant(operand.bits))
      return false;
  }
  if (take('|')) {
    Operand pair;
    pair.kind = Operand::Kind::pair;
    pair.elements.push_back(std::move(operand));
    pair.elements.emplace_back();
    if (peek().kind != Token::Kind::word || !parseName(pair.elements.back()))
      return fail("expected a register after '|'");
    operand = std::move(pair);
  }
  return true;
}

bool Parser::parseInstruction() {
  Instruction instruction;
  instruction.line = peek().line;
  instruction.loc = location;
  if (take('@')) {
    instruction.guardNegated = take('!');
    Operand guard;
    if (peek().kind != Token::Kind::word || !parseName(guard) || guard.kind != Operand::Kind::reg)
      return fail("expected a predicate register after '@'");
    if (function->registers[size_t(guard.reg)].type != Type::pred)
      return fail("the guard " + std::string(guard.name) + " is not a predicate");
    instruction.guard = guard.reg;
  }
  if (peek().kind != Token::Kind::word)
    return fail("expected an instruction before '" + std::string(peek().text.substr(0, 40)) + "'");
  std::vector<std::string_view> words{next().text};
  while (peek().kind == Token::Kind::dotted)
    words.push_back(next().text);
  size_t used = 0;
  if (std::string_view why = refusal(words); !why.empty())
    return fail(std::string(words[0]) + ": " + std::string(why), instruction.line);
  const Opcode *row = opcodeOf(words, used);
  if (!row)
    return fail("unknown instruction '" + std::string(words[0]) + "'", instruction.line);
  instruction.opcode = row->name;
  for (size_t i = used; i < words.size(); ++i) {
    if (auto type = typeNamed(words[i]))
      instruction.types.push_back(*type);
    else if (!allows(*row, words[i]))
      return fail("unknown modifier ." + std::string(words[i]) + " of " + std::string(row->name), instruction.line);
    instruction.modifiers.push_back(words[i]);
  }
  while (!peek().is(';')) {
    Operand operand;
    if (!parseOperand(operand))
      return false;
    instruction.operands.push_back(std::move(operand));
    if (!take(','))
      break;
  }
  if (!expect(';'))
    return false;
  size_t count = instruction.operands.size();
  if (count < row->minOperands || count > row->maxOperands)
    return fail(std::string(row->name) + " with " + std::to_string(count) + " operands", instruction.line);
  if (row->minVersion > module.version())
    return fail(std::string(row->name) + " needs PTX version " + std::to_string(row->minVersion / 10) + "." +
                    std::to_string(row->minVersion % 10) + ", the module says " + std::to_string(module.versionMajor) +
                    "." + std::to_string(module.versionMinor),
                instruction.line);
  if (instruction.opcode == "bra")
    labelUses.push_back({uint32_t(function->body.size()), 0, scope});
  function->body.push_back(std::move(instruction));
  return true;
}

} // namespace tessera::vgpu::ptx
