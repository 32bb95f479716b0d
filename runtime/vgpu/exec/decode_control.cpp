// Control flow of a function as operations: branches, joins, calls and returns.
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

void runCall(Warp &w, const Op &op) {
  Fragment &f = w.fragments[w.current];
  if (f.calls.size() >= 512)
    return w.fail(Fault::illegal, 0, 0, "calls nested deeper than 512");
  f.calls.push_back(w.pc);
  w.pc = op.x;
}

void runReturn(Warp &w, const Op &) {
  Fragment &f = w.fragments[w.current];
  w.pc = f.calls.back();
  f.calls.pop_back();
}

// A parameter from the caller's local memory to the callee's, or back.
void runCopyLocal(Warp &w, const Op &op) {
  u64 size = w.launch->program->localBytes;
  for (u32 l = 0; l < lanes; ++l)
    if (w.mask >> l & 1)
      std::memcpy(&w.local[l * size + op.y], &w.local[l * size + op.x], op.c);
}
void runMove32(Warp &w, const Op &op) {
  map1<u32, u32>(w, op, [](u32 a) { return a; });
}
void runMove64(Warp &w, const Op &op) {
  map1<u64, u64>(w, op, [](u64 a) { return a; });
}
} // namespace

void runPrintf(Warp &w, const Op &op);
void runAssertFail(Warp &w, const Op &op);

bool Decoder::call(const ptx::Instruction &i, Op &op) {
  if (i.guard >= 0)
    return refuse("a call with a guard is not supported");
  size_t at = i.operands[0].kind == ptx::Operand::Kind::list ? 1 : 0;
  if (at >= i.operands.size() || i.operands[at].kind != ptx::Operand::Kind::symbol)
    return refuse("indirect calls are not supported");
  std::string name(i.operands[at].name);
  const ptx::Function *callee = module.function(name);
  if (!callee)
    return refuse("there is no function " + name);
  static const std::vector<ptx::Operand> none;
  const auto &results = at ? i.operands[0].elements : none;
  const auto &arguments = i.operands.size() > at + 1 && i.operands[at + 1].kind == ptx::Operand::Kind::list
                              ? i.operands[at + 1].elements
                              : none;
  op.pipe = Pipe::control;
  auto localOf = [&](const ptx::Operand &o) -> uint32_t {
    if (o.variable >= 0)
      return uint32_t(frame->variables[size_t(o.variable)]);
    auto found = frame->locals.find(std::string(o.name));
    if (found != frame->locals.end())
      return found->second;
    refuse("the argument " + std::string(o.name) + " is not a .param variable");
    return 0;
  };
  if (callee->declaration) {
    if (name == "vprintf" && arguments.size() == 2 && results.size() == 1) {
      op.run = runPrintf;
      op.x = localOf(arguments[0]);
      op.y = localOf(arguments[1]);
      op.c = localOf(results[0]);
      return ok();
    }
    if (name == "__assertfail" && arguments.size() == 5) {
      op.run = runAssertFail;
      for (const ptx::Operand &a : arguments)
        op.more.push_back(localOf(a));
      return ok();
    }
    return refuse("the external function " + name + " is not provided");
  }
  if (callee->entry || callee->parameters.size() != arguments.size() || callee->results.size() != results.size())
    return refuse("the call does not fit the declaration of " + name);
  bool known = frames.count(callee) != 0;
  if (!known)
    return refuse("internal: " + name + " was not placed");
  Frame &there = frames[callee];
  auto pass = [&](const ptx::Variable &formal, const ptx::Operand &actual, bool inward, bool late) {
    Op copy;
    copy.pipe = Pipe::none;
    if (formal.space == ptx::Space::param) {
      uint32_t mine = localOf(actual), theirs = there.locals[formal.name];
      copy.run = runCopyLocal;
      copy.x = inward ? mine : theirs;
      copy.y = inward ? theirs : mine;
      copy.c = uint32_t(formal.size);
    } else {
      bool wide = info(formal.type).bits == 64;
      uint32_t mine = inward ? in(actual, formal.type) : out(actual, formal.type);
      uint32_t theirs = nowhere;
      for (size_t r = 0; r < callee->registers.size(); ++r)
        if (callee->registers[r].name == formal.name) {
          if (there.planes[r] == nowhere)
            there.planes[r] = scratch(wide);
          theirs = there.planes[r];
          break;
        }
      copy.run = wide ? runMove64 : runMove32;
      copy.a = inward ? mine : theirs;
      copy.d = inward ? theirs : mine;
    }
    if (late)
      after(copy);
    else
      before(copy);
  };
  for (size_t k = 0; k < arguments.size(); ++k)
    pass(callee->parameters[k], arguments[k], true, false);
  for (size_t k = 0; k < results.size(); ++k)
    pass(callee->results[k], results[k], false, true);
  op.run = runCall;
  callSites.emplace_back(uint32_t(program.code.size()), callee);
  return ok();
}

bool Decoder::decodeControl(const ptx::Instruction &i, Op &op) {
  op.pipe = Pipe::control;
  if (i.opcode == "bra") {
    op.x = uint32_t(i.operands[0].variable);
    op.whole = true;
    op.run = i.guard < 0 ? runJump : runBranch;
  } else if (i.opcode == "brx.idx") {
    auto found = function->branchTargets.find(i.operands[1].name);
    if (i.guard >= 0 || found == function->branchTargets.end())
      return refuse("needs a list of branch targets and no guard");
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
  for (uint32_t k = 0; k < f.body.size(); ++k)
    if (parts(f.body[k]))
      if (uint32_t at = reconvergence(k); at != nowhere)
        joins[at] = true;
  auto first = uint32_t(program.code.size());
  frame->entryPoint = first;
  frame->labels.assign(f.body.size() + 1, 0);
  std::vector<std::pair<uint32_t, uint32_t>> branches; // code index, instruction
  Op join;
  join.run = runJoin;
  join.pipe = Pipe::none;
  auto functionIndex = int32_t(&f - module.functions.data());
  for (uint32_t k = 0; k < f.body.size(); ++k) {
    const ptx::Instruction &i = f.body[k];
    program.sources.push_back({i.line, i.loc, functionIndex, int32_t(k)});
    frame->labels[k] = uint32_t(program.code.size());
    if (joins[k]) {
      instruction = nullptr;
      before(join);
    }
    if (!decodeInstruction(i))
      return false;
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
  // Everything that can be reached by calls.
  std::vector<const ptx::Function *> reach{&entry};
  for (size_t k = 0; k < reach.size(); ++k)
    for (const ptx::Instruction &i : reach[k]->body) {
      if (i.opcode != "call")
        continue;
      for (const ptx::Operand &o : i.operands) {
        if (o.kind != ptx::Operand::Kind::symbol)
          continue;
        const ptx::Function *callee = module.function(o.name);
        if (!callee || callee->declaration)
          continue;
        if (std::find(reach.begin(), reach.end(), callee) == reach.end())
          reach.push_back(callee);
      }
    }
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
  for (const ptx::Function *f : reach)
    if (!decodeFunction(*f))
      return Error{Blame::unsupported, failure};
  for (auto [at, callee] : callSites) {
    // The call itself is the first operation from here on that is one: argument copies may precede it.
    while (program.code[at].run != runCall)
      ++at;
    program.code[at].x = frames[callee].entryPoint;
  }
  // Recursion would need a stack of registers: refuse it.
  std::map<const ptx::Function *, int> state;
  std::function<bool(const ptx::Function *)> cyclic = [&](const ptx::Function *f) {
    if (state[f])
      return state[f] == 1;
    state[f] = 1;
    for (const ptx::Instruction &i : f->body)
      if (i.opcode == "call")
        for (const ptx::Operand &o : i.operands)
          if (o.kind == ptx::Operand::Kind::symbol)
            if (const ptx::Function *callee = module.function(o.name); callee && !callee->declaration && cyclic(callee))
              return true;
    state[f] = 2;
    return false;
  };
  if (cyclic(&entry))
    return unsupported("line " + std::to_string(entry.line) + ": recursive calls are not supported");
  program.resources = resourcesOf(entry, combine(entry));
  program.resources.stackBytes = program.localBytes + program.resources.spillBytes;
  return {};
}

// The need of a function and all that it calls: what lives across a call stays in registers meanwhile.
FunctionNeed Decoder::combine(const ptx::Function &f) {
  FunctionNeed need = needs[&f];
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
  return need;
}

} // namespace tessera::vgpu
