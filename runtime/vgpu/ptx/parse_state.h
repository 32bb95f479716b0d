// What the parts of the parser share: the token cursor, the scopes, the first error.
#pragma once
#include "base/result.h"
#include "runtime/vgpu/ptx/lexer.h"
#include "runtime/vgpu/ptx/module.h"
#include <unordered_map>

namespace tessera::vgpu::ptx {

// A `{ ... }` of a function: names declared inside hide the outer ones.
struct Scope {
  int32_t parent = -1;
  std::unordered_map<std::string_view, int32_t> registers; // to Function::registers
  std::unordered_map<std::string_view, int32_t> variables; // to Function::variables
  struct Range {
    std::string_view prefix;
    uint64_t count;
    Type type;
  };
  std::vector<Range> ranges;
};

struct Parser {
  Module &module;
  std::vector<Token> tokens;
  size_t at = 0;
  Function *function = nullptr;
  std::vector<Scope> scopes;
  int32_t scope = -1;
  int32_t location = -1;
  struct LabelUse {
    uint32_t instruction, operand;
    int32_t scope;
  };
  std::vector<LabelUse> labelUses;
  std::string_view declared; // the name parseVariableHead read last
  std::string failure;

  const Token &peek(size_t ahead = 0) const {
    return tokens[at + ahead < tokens.size() ? at + ahead : tokens.size() - 1];
  }
  const Token &next() { return tokens[at + 1 < tokens.size() ? at++ : at]; }
  bool take(char c) { return peek().is(c) && (next(), true); }
  bool takeDotted(std::string_view word) {
    return peek().kind == Token::Kind::dotted && peek().text == word && (next(), true);
  }
  // Records the first failure; always false.
  bool fail(const std::string &what, uint32_t line = 0);
  bool expect(char c);

  // parse_module.cpp
  bool parseModule();
  bool parseFunction(bool entry, std::string linkage);
  bool parseParameters(std::vector<Variable> &into);
  bool parseBody();
  bool parsePrototype(Prototype &into);
  bool parseTuning(Function &into);
  bool parseFile();
  bool skipSection();
  // parse_variable.cpp
  bool parseVariables(Space space, const std::string &linkage, std::vector<Variable> &into, bool local);
  bool parseVariableHead(Variable &variable);
  bool parseInitialiser(Variable &variable);
  bool parseRegisters();
  bool constant(uint64_t &bits);
  // parse_instruction.cpp
  bool parseInstruction();
  bool parseOperand(Operand &operand);
  bool parseAddress(Operand &operand);
  bool parseName(Operand &operand);
  int32_t findRegister(std::string_view name);
  int32_t findVariable(std::string_view name) const;
  bool resolveLabels();
};

// A label's key in Function::labels: the same name may be declared in several scopes.
std::string labelKey(std::string_view name, int32_t scope);

} // namespace tessera::vgpu::ptx
