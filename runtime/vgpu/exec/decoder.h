// Turns instructions of a parsed kernel into operations: resolves operands to planes, symbols to addresses.
#pragma once
#include "base/result.h"
#include "runtime/vgpu/exec/liveness.h"
#include <functional>
#include <map>
#include <unordered_map>

namespace tessera::vgpu {

// Where the module's own variables are, once it is loaded.
using SymbolTable = std::map<std::string, uint64_t, std::less<>>;

class Decoder {
public:
  Decoder(const ptx::Module &module, const SymbolTable &symbols, Program &program);

  // Decodes the entry and all functions that it calls.
  Status decode(const ptx::Function &entry);

  // For the families. All of them record a refusal when an operand does not fit; `ok()` tells.
  uint32_t in(const ptx::Operand &operand, ptx::Type type);  // a plane to read
  uint32_t out(const ptx::Operand &operand, ptx::Type type); // a plane to write; a scratch plane for `_`
  uint32_t quad(const ptx::Operand &operand); // a .b128 register: two planes of 64 bits, one after the other
  uint32_t predicateIn(const ptx::Operand &operand, bool &negated);
  uint32_t predicateOut(const ptx::Operand &operand); // a scratch one for `_`
  uint32_t constant(uint64_t bits, bool wide);
  uint32_t scratch(bool wide);
  uint32_t special(Special which);
  bool immediate(const ptx::Operand &operand, int64_t &value); // must be a constant
  // An address: base plane into `plane` (u32 or u64 as `wide` says), constant part into `offset`.
  struct Address {
    uint32_t plane = 0;
    bool wide = true;
    int64_t offset = 0;
    ptx::Space space = ptx::Space::generic;
  };
  Address address(const ptx::Operand &operand, ptx::Space space);
  bool refuse(const std::string &why);
  bool ok() const { return failure.empty(); }
  // An operation like `like` with another run, to be placed before or after the current one.
  void before(Op op);
  void after(Op op);
  ptx::Type typeOf(const ptx::Operand &operand) const; // of a register, none otherwise
  void touch(const ptx::Operand &operand, bool write); // this instruction reads or writes the register: for liveness

  const ptx::Module &module;
  const ptx::Function *function = nullptr;
  const ptx::Instruction *instruction = nullptr;
  Program &program;
  uint32_t arch = 0;

  // Control flow (decode_control.cpp).
  bool decodeControl(const ptx::Instruction &i, Op &op);

private:
  struct Frame {                                      // static places of one function
    std::vector<uint32_t> planes;                     // by register; nowhere until used
    std::vector<uint32_t> predicateOf;                // by register
    std::unordered_map<std::string, uint32_t> locals; // parameters of a .func: local offset
    std::vector<uint64_t> variables;                  // by variable: shared or local offset
    std::vector<uint32_t> labels;                     // instruction index -> code index
    uint32_t entryPoint = nowhere, exitPoint = nowhere;
    uint32_t activation = nowhere, frameBytes = 0; // of a stacked function: variables are relative to its frame
    bool placed = false, stacked = false;
  };
  bool decodeFunction(const ptx::Function &f);
  bool decodeInstruction(const ptx::Instruction &i);
  void placeVariables(const ptx::Function &f);
  bool value(const ptx::Operand &operand, uint64_t &bits, bool &isConstant);
  Frame &frameOf(const ptx::Function &f);
  bool inFrame(const ptx::Operand &operand) const;
  uint32_t planeOf(int32_t reg);
  uint32_t predicateOf(int32_t reg);
  // Calls (decode_calls.cpp).
  bool call(const ptx::Instruction &i, Op &op);
  bool runtimeCall(std::string_view name, const std::vector<uint32_t> &arguments, const std::vector<uint32_t> &results,
                   Op &op);
  void passRegister(const ptx::Function &callee, const ptx::Variable &formal, const ptx::Operand &actual, bool inward);
  std::vector<const ptx::Function *> reachable(const ptx::Function &entry);
  bool prepareStack(const std::vector<const ptx::Function *> &reach);
  void linkCalls();
  uint32_t frameAddress(uint64_t offset, bool wide);
  uint32_t signatureOf(const std::vector<ptx::Variable> &results, const std::vector<ptx::Variable> &parameters);
  FunctionNeed combine(const ptx::Function &f);

  const SymbolTable &symbols;
  std::map<const ptx::Function *, Frame> frames;
  Frame *frame = nullptr;
  std::vector<const ptx::Function *> pending; // functions that are called and not decoded yet
  std::vector<Op> trailing;
  std::map<std::pair<uint64_t, bool>, uint32_t> constants;
  std::map<Special, uint32_t> specials;
  std::unordered_map<std::string, uint32_t> sharedNames; // the module's shared variables: offset
  std::vector<RegisterTouch> touches;                    // of the function that is being decoded
  std::map<const ptx::Function *, FunctionNeed> needs, combined;
  std::map<std::vector<uint64_t>, uint32_t> signatures; // of functions that are called by their address
  bool ignoreGuard = false;                             // a branch around the instruction stands for its guard
  std::string failure;
  std::vector<std::pair<uint32_t, const ptx::Function *>> callSites; // code index, callee
};

// One family's decoding of an opcode; false after refuse().
using DecodeOp = bool (*)(Decoder &, const ptx::Instruction &, Op &);
using OpTable = std::unordered_map<std::string_view, DecodeOp>;
const OpTable &opTable();

// Decodes a kernel; an error (unsupported or invalidArgument) begins with "line N:".
Result<std::unique_ptr<Program>> decodeKernel(const ptx::Module &module, const ptx::Function &entry,
                                              const SymbolTable &symbols, uint32_t arch);

} // namespace tessera::vgpu
