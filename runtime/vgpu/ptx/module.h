// A PTX module as read: functions, variables, instructions with their lines. Plain data, no semantics.
#pragma once
#include "runtime/vgpu/ptx/types.h"
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tessera::vgpu::ptx {

// A piece of an initialiser that is known only when symbols have addresses.
struct Relocation {
  uint64_t offset = 0; // bytes into the variable
  uint32_t bytes = 8;
  std::string symbol;
  int64_t addend = 0;
  bool generic = false; // generic(symbol): the generic address
};

struct Variable {
  std::string name;
  Space space = Space::global;
  Type type = Type::b8;
  uint8_t vector = 1;
  uint32_t align = 1;
  uint64_t size = 0; // bytes; 0 for an unsized array (dynamic shared memory)
  bool array = false;
  bool unsized = false;
  bool pointer = false; // a kernel parameter with .ptr
  std::string linkage;  // "", extern, visible, weak or common
  std::vector<uint8_t> init;
  std::vector<Relocation> relocations;
  uint32_t line = 0;
};

struct Operand {
  enum class Kind : uint8_t { reg, immediate, special, symbol, address, vector, list, pair, sink };
  Kind kind = Kind::sink;
  bool negated = false;          // !%p, or -%r in front of an operand
  bool real = false;             // an immediate written as a floating-point constant
  bool single = false;           // ... as 0f: `bits` is a 32-bit pattern, otherwise a double's
  int32_t reg = -1;              // reg, or an address's base register: index into Function::registers
  int32_t variable = -1;         // symbol: index into Function::variables, -1 when it is a name of the module
  int64_t offset = 0;            // address
  uint64_t bits = 0;             // immediate
  std::string_view name;         // symbol, label or special register
  char component = 0;            // special register: x y z w
  std::vector<Operand> elements; // vector {a,b}, list (a,b), pair a|b, address [base, {coordinates}, ...]
};

struct Instruction {
  std::string_view opcode;                 // as in the opcode table
  std::vector<std::string_view> modifiers; // without the dots, in source order; types among them
  std::vector<Type> types;                 // the modifiers that are types, in source order
  std::vector<Operand> operands;
  int32_t guard = -1; // predicate register
  bool guardNegated = false;
  uint32_t line = 0; // of the PTX text
  int32_t loc = -1;  // index into Module::locations

  bool has(std::string_view modifier) const;
  Type type(size_t index = 0) const { return index < types.size() ? types[index] : Type::none; }
  // The state space among the modifiers, generic when there is none.
  Space space() const;
};

struct Register {
  std::string name;
  Type type = Type::b32;
};

// What a function that is called by its address takes and answers.
struct Prototype {
  std::vector<Variable> results, parameters;
};

struct Function {
  std::string name;
  bool entry = false;
  bool declaration = false;
  std::string linkage;
  std::vector<Variable> results; // of a .func
  std::vector<Variable> parameters;
  std::vector<Register> registers; // those that are used
  std::vector<Variable> variables; // .shared .local .param declared inside
  std::vector<Instruction> body;
  std::map<std::string, uint32_t, std::less<>> labels; // scoped names are unique: name, then "name@scope"
  std::map<std::string, std::vector<std::string>, std::less<>> branchTargets; // .branchtargets, .calltargets
  std::map<std::string, Prototype, std::less<>> prototypes;                   // .callprototype, by label
  uint32_t maxThreads[3] = {0, 0, 0};
  uint32_t requiredThreads[3] = {0, 0, 0};
  uint32_t cluster[3] = {0, 0, 0};
  uint32_t minBlocksPerSm = 0, maxRegisters = 0;
  uint32_t line = 0;
};

struct Location {
  uint32_t file = 0, line = 0, column = 0;
};

struct Module {
  std::unique_ptr<std::string> text; // string views of instructions point into it
  uint32_t versionMajor = 0, versionMinor = 0;
  std::string target; // "sm_90a"
  uint32_t addressBits = 64;
  std::vector<Variable> variables;
  std::vector<Function> functions;
  std::map<std::string, std::string, std::less<>> aliases; // .alias: another name of a function
  std::map<uint32_t, std::string> files;
  std::vector<Location> locations;

  const Function *function(std::string_view name) const;
  uint32_t version() const { return versionMajor * 10 + versionMinor; }
};

} // namespace tessera::vgpu::ptx
