// Control flow of a function as operations: branches, joins, calls and returns.
#include "runtime/vgpu/exec/calls.h"
#include "runtime/vgpu/exec/decoder.h"
#include "runtime/vgpu/exec/flow.h"
#include "runtime/vgpu/exec/ops.h"
#include "runtime/vgpu/exec/resources.h"
#include <algorithm>

namespace tessera::vgpu {

namespace {

void runJoin(Warp &w, const Op &) { w.arriveAtJoin(); }
void runBranch(Warp &w, const Op &op) { w.branch(op.x, w.mask, op.y); }
void runJump(Warp &w, const Op &op) { w.pc = op.x; }
void runExit(Warp &w, const Op &) { w.exitLanes(w.mask); }
void runTrap(Warp &w, const Op &) { w.fail(Fault::trap, u32(std::countr_zero(w.mask)), 0, "the kernel executed trap"); }

void runIndexed(Warp &w, const Op &op) {
  const auto *index = w.in<u32>(op.a);
  u32 left = w.active;
  for (u32 l = 0; l < lanes; ++l)
    if (left >> l & 1 && index[l] >= op.more.size())
      return w.fail(Fault::illegal, l, index[l], "brx.idx beyond its list of targets");
  while (left) {
    u32 which = index[std::countr_zero(left)], group = 0;
    for (u32 l = 0; l < lanes; ++l)
      group |= u32((left >> l & 1) && index[l] == which) << l;
    left &= ~group;
    w.branch(op.more[which], group, op.y); // the last group is the whole fragment, and jumps
  }
}
} // namespace

bool Decoder::decodeControl(const ptx::Instruction &i, Op &op) {
  op.pipe = Pipe::control;
  if (i.opcode == "bra") {
    op.x = uint32_t(i.operands[0].variable);
    op.whole = true;
    op.run = i.guard < 0 ? runJump : runBranch;
  } else if (i.opcode == "brx.idx") {
    auto found = function->branchTargets.find(i.operands[1].name);
    if (found == function->branchTargets.end())
      return refuse("needs a list of branch targets");
    op.run = runIndexed;
    op.a = in(i.operands[0], ptx::Type::u32);
    for (const std::string &name : found->second) {
      auto label = function->labels.find(name);
      if (label == function->labels.end())
        return refuse("there is no label " + name);
      op.more.push_back(label->second);
    }
  } else if (i.opcode == "exit" || (i.opcode == "ret" && function->entry)) {
    op.run = runExit;
  } else if (i.opcode == "ret") {
    op.run = i.guard < 0 ? runJump : runBranch;
    op.whole = true;
    op.x = nowhere; // the exit point
  } else if (i.opcode == "trap") {
    op.run = runTrap;
  } else {
    return call(i, op);
  }
  return ok();
}

bool Decoder::decodeFunction(const ptx::Function &f) {
  function = &f;
  frame = &frameOf(f);
  Flow flow(f);
  touches.clear();
  auto exit = uint32_t(flow.leaders.size());
  std::vector<bool> joins(f.body.size() + 1);
  auto reconvergence = [&](uint32_t index) { // instruction where lanes that part here meet; body.size(): the exit
    uint32_t at = flow.ipdom[flow.blockOf[index]];
    return at == nowhere ? nowhere : at == exit ? uint32_t(f.body.size()) : flow.leaders[at];
  };
  auto parts = [&](const ptx::Instruction &i) {
    return ((i.opcode == "bra" || i.opcode == "ret") && i.guard >= 0) || i.opcode == "brx.idx";
  };
  for (uint32_t k = 0; k < f.body.size(); ++k) {
    if (parts(f.body[k]))
      if (uint32_t at = reconvergence(k); at != nowhere)
        joins[at] = true;
    if (splitsLanes(f.body[k]))
      joins[k + 1] = true;
  }
  auto first = uint32_t(program.code.size());
  frame->entryPoint = first;
  frame->labels.assign(f.body.size() + 1, 0);
  std::vector<std::pair<uint32_t, uint32_t>> branches, around; // code index, instruction
  Op join;
  join.run = runJoin;
  join.pipe = Pipe::none;
  auto functionIndex = int32_t(&f - module.functions.data());
  int32_t place = -1; // the last .loc with a line
  for (uint32_t k = 0; k < f.body.size(); ++k) {
    const ptx::Instruction &i = f.body[k];
    // Line 0 is code that the compiler made, as a spill or a moved store: it counts for the line before it.
    if (i.loc >= 0 && module.locations[size_t(i.loc)].line)
      place = i.loc;
    program.sources.push_back({i.line, place, functionIndex, int32_t(k)});
    frame->labels[k] = uint32_t(program.code.size());
    if (joins[k]) {
      instruction = nullptr;
      before(join);
    }
    // A guarded call or indexed branch becomes a branch around an unguarded one.
    bool skips = i.guard >= 0 && (i.opcode == "call" || i.opcode == "brx.idx");
    if (skips) {
      Op skip;
      skip.run = runBranch;
      skip.pipe = Pipe::control;
      skip.whole = true;
      instruction = &i;
      before(skip);
      program.code.back().guardNegated = !i.guardNegated;
      around.emplace_back(uint32_t(program.code.size()) - 1, k);
    }
    ignoreGuard = skips;
    bool understood = decodeInstruction(i);
    ignoreGuard = false;
    if (!understood)
      return false;
    if (splitsLanes(i))
      for (size_t c = program.code.size(); c-- > frame->labels[k];)
        program.code[c].y = isIndirectCall(program.code[c]) ? k + 1 : program.code[c].y; // an instruction for now
    if (i.opcode == "bra" || i.opcode == "brx.idx" || (i.opcode == "ret" && !f.entry))
      branches.emplace_back(uint32_t(program.code.size()) - 1, k);
  }
  instruction = nullptr;
  program.sources.push_back({f.body.empty() ? f.line : f.body.back().line, -1, functionIndex,
                             f.body.empty() ? -1 : int32_t(f.body.size()) - 1});
  frame->labels[f.body.size()] = frame->exitPoint = uint32_t(program.code.size());
  Op last;
  last.pipe = Pipe::control;
  last.run = f.entry ? runExit : runReturn;
  if (!f.entry)
    before(join);
  before(last);
  needs[&f] = liveRegisters(flow, touches);
  for (auto [at, k] : around) {
    uint32_t meet = f.body[k].opcode == "call" ? k + 1 : reconvergence(k);
    program.code[at].x = frame->labels[k + 1];
    program.code[at].y = meet == nowhere ? nowhere : frame->labels[meet];
  }
  for (size_t c = first; c < program.code.size(); ++c)
    if (isIndirectCall(program.code[c]))
      program.code[c].y = frame->labels[program.code[c].y];
  for (auto [at, k] : branches) {
    Op &op = program.code[at];
    uint32_t meet = reconvergence(k);
    op.x = op.x == nowhere ? frame->exitPoint : frame->labels[op.x];
    for (uint32_t &t : op.more)
      t = frame->labels[t];
    op.y = meet == nowhere || (meet == f.body.size() && f.entry) ? nowhere : frame->labels[meet];
  }
  return true;
}

Status Decoder::decode(const ptx::Function &entry) {
  program.name = entry.name;
  program.function = &entry;
  function = &entry;
  for (const ptx::Variable &v : entry.parameters) {
    if (v.space != ptx::Space::param)
      return invalidArgument("line " + std::to_string(v.line) + ": a kernel's parameters are .param variables");
    program.parameterBytes = (program.parameterBytes + v.align - 1) / v.align * v.align;
    program.parameters.push_back({program.parameterBytes, uint32_t(v.size)});
    program.parameterBytes += uint32_t(v.size);
  }
  if (program.parameterBytes > 32764)
    return invalidArgument("line " + std::to_string(entry.line) + ": more than 32764 bytes of parameters");
  std::vector<const ptx::Function *> reach = reachable(entry);
  if (reach.size() > 2000)
    return unsupported("line " + std::to_string(entry.line) + ": more than 2000 functions are called");
  for (const ptx::Function *f : reach)
    placeVariables(*f);
  uint32_t align = 16;
  for (const ptx::Variable &v : module.variables)
    if (v.space == ptx::Space::shared && v.unsized)
      align = std::max(align, v.align);
  program.dynamicSharedOffset = (program.sharedBytes + align - 1) / align * align;
  for (const ptx::Variable &v : module.variables)
    if (v.space == ptx::Space::shared && v.unsized)
      sharedNames[v.name] = program.dynamicSharedOffset;
  if (program.localBytes > (512u << 10))
    return invalidArgument("line " + std::to_string(entry.line) + ": more than 512 KiB of local memory a thread");
  program.localBytes = (program.localBytes + 15) / 16 * 16;
  if (!prepareStack(reach))
    return Error{Blame::unsupported, failure};
  for (const ptx::Function *f : reach)
    if (!decodeFunction(*f))
      return Error{Blame::unsupported, failure};
  linkCalls();
  program.resources = resourcesOf(entry, combine(entry));
  program.resources.stackBytes = program.localBytes + program.resources.spillBytes;
  return {};
}

// The need of a function and all that it calls: what lives across a call stays in registers meanwhile.
FunctionNeed Decoder::combine(const ptx::Function &f) {
  if (const auto known = combined.find(&f); known != combined.end())
    return known->second;
  FunctionNeed need = needs[&f];
  if (frames[&f].stacked) // what it calls in turn keeps its registers on the stack
    return need;
  for (const auto &[at, across] : needs[&f].calls) {
    need.usesAbi = true;
    for (const ptx::Operand &o : f.body[at].operands) {
      const ptx::Function *callee = o.kind == ptx::Operand::Kind::symbol ? module.function(o.name) : nullptr;
      if (!callee || callee->declaration)
        continue;
      const FunctionNeed there = combine(*callee);
      need.predicates = std::max(need.predicates, there.predicates);
      if (across + there.live > need.live)
        need.live = across + there.live, need.line = there.line;
    }
  }
  return combined[&f] = need;
}

} // namespace tessera::vgpu
