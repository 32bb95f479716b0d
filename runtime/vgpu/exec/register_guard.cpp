// Registers of wgmma in flight: accumulators and fragments of A belong to the operation until wgmma.wait_group, and a
// wgmma may use what other instructions touched only after wgmma.fence (ISA 9.7.15.7.1). Every operation that names
// such a register is wrapped; a kernel without wgmma is left alone. Plain copies are not uses: compilers move
// accumulators from one virtual register to another where the machine keeps them in place.
#include "runtime/vgpu/exec/warpgroup.h"
#include <map>
#include <set>

namespace tessera::vgpu {
namespace {
using Register = std::pair<int32_t, int32_t>; // function, register

void collect(const ptx::Operand &o, std::vector<int32_t> &into) {
  if (o.reg >= 0)
    into.push_back(o.reg);
  for (const ptx::Operand &e : o.elements)
    collect(e, into);
}

void runGuarded(Warp &w, const Op &op) {
  const Program &program = *w.launch->program;
  const RegisterGuard &guard = program.guards[program.guardAt[w.pc - 1]];
  if (w.launch->options.checkShared) {
    if (guard.move && guard.touched.size() == 2) {
      w.wgmmaRegisters[guard.touched[0]] = w.wgmmaRegisters[guard.touched[1]];
    } else {
      for (u32 r : guard.touched) {
        Warp::WgmmaRegister &reg = w.wgmmaRegisters[r];
        if (reg.usedBy > w.wgmmaDone)
          return w.fail(Fault::missingWait, u32(std::countr_zero(w.mask)), r,
                        std::string("uses ") + (reg.shape ? "an accumulator" : "a register of A") +
                            " of a wgmma that is in flight; wgmma.commit_group and wgmma.wait_group must come first");
        reg.touched = w.touches;
      }
    }
  }
  guard.run(w, op);
}
} // namespace

void guardRegisters(Program &program) {
  const ptx::Module &module = *program.module;
  auto instructionOf = [&](const Op &op) -> const ptx::Instruction * {
    const Source &s = program.sources[op.source];
    if (s.function < 0 || s.instruction < 0)
      return nullptr;
    return &module.functions[size_t(s.function)].body[size_t(s.instruction)];
  };
  auto isMma = [](const ptx::Instruction &i) { return i.opcode == "wgmma.mma_async"; };
  auto isMove = [](const ptx::Instruction &i) {
    return i.opcode == "mov" && i.operands.size() == 2 && i.operands[0].kind == ptx::Operand::Kind::reg &&
           i.operands[1].kind == ptx::Operand::Kind::reg;
  };
  std::map<Register, u32> numbers;
  std::set<int32_t> functions;
  auto number = [&](int32_t function, int32_t reg) {
    auto [entry, fresh] = numbers.emplace(Register(function, reg), u32(numbers.size()));
    return fresh;
  };
  for (const Op &op : program.code)
    if (const ptx::Instruction *i = instructionOf(op); i && isMma(*i)) {
      std::vector<int32_t> named;
      collect(i->operands[0], named);
      if (i->operands[1].kind == ptx::Operand::Kind::vector)
        collect(i->operands[1], named);
      int32_t function = program.sources[op.source].function;
      functions.insert(function);
      for (int32_t r : named)
        number(function, r);
    }
  if (numbers.empty())
    return;
  // Copies of such registers are such registers.
  for (bool changed = true; changed;) {
    changed = false;
    for (int32_t f : functions)
      for (const ptx::Instruction &i : module.functions[size_t(f)].body)
        if (isMove(i)) {
          int32_t to = i.operands[0].reg, from = i.operands[1].reg;
          if (numbers.count({f, to}) != numbers.count({f, from})) {
            number(f, to), number(f, from);
            changed = true;
          }
        }
  }
  program.guardedRegisters = u32(numbers.size());
  program.guardAt.assign(program.code.size(), 0);
  program.guards.resize(1);
  for (size_t pc = 0; pc < program.code.size(); ++pc) {
    Op &op = program.code[pc];
    const ptx::Instruction *i = instructionOf(op);
    // Of the operations that one instruction became, the last carries the guard.
    if (!i || (pc + 1 < program.code.size() && program.code[pc + 1].source == op.source))
      continue;
    int32_t function = program.sources[op.source].function;
    RegisterGuard guard;
    auto tracked = [&](const ptx::Operand &o, std::vector<u32> &into) {
      std::vector<int32_t> named;
      collect(o, named);
      for (int32_t r : named)
        if (auto found = numbers.find({function, r}); found != numbers.end())
          into.push_back(found->second);
    };
    if (isMma(*i)) {
      if (op.pipe != Pipe::tensor)
        continue;
      tracked(i->operands[0], guard.accumulators);
      if (i->operands[1].kind == ptx::Operand::Kind::vector)
        tracked(i->operands[1], guard.fragments);
    } else {
      if (op.pipe == Pipe::control || op.whole)
        continue;
      for (const ptx::Operand &o : i->operands)
        tracked(o, guard.touched);
      if (guard.touched.empty())
        continue;
      guard.move = isMove(*i);
      guard.run = op.run;
      op.run = runGuarded;
    }
    program.guardAt[pc] = u32(program.guards.size());
    program.guards.push_back(std::move(guard));
  }
}

} // namespace tessera::vgpu
