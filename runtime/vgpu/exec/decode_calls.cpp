// Calls: who can be called, where parameters lie, direct, guarded and indirect calls as operations.
//
// A function that is never entered while it runs has static places for its registers and variables. One that may be
// (it calls itself in the end, or its address is taken) is "stacked": its variables are relative to a frame on the
// lane's stack, and its registers are put aside at each call and brought back when the results have been read.
#include "runtime/vgpu/exec/calls.h"
#include "runtime/vgpu/exec/decoder.h"
#include "runtime/vgpu/exec/ops.h"
#include <algorithm>
#include <set>

namespace tessera::vgpu {
namespace {
// Bytes and alignment of parameters, so that callers by pointer and callees agree on their places.
u32 layout(const std::vector<ptx::Variable> &variables, u32 from, std::vector<u32> &places) {
  for (const ptx::Variable &v : variables) {
    from = (from + v.align - 1) / v.align * v.align;
    places.push_back(from);
    from += u32(v.size);
  }
  return from;
}
bool inMemory(const std::vector<ptx::Variable> &variables) {
  return std::all_of(variables.begin(), variables.end(), [](const auto &v) { return v.space == ptx::Space::param; });
}
bool isIndirect(const ptx::Instruction &i) {
  size_t at = !i.operands.empty() && i.operands[0].kind == ptx::Operand::Kind::list ? 1 : 0;
  return i.opcode == "call" && i.operands.size() > at && i.operands[at].kind == ptx::Operand::Kind::reg;
}
} // namespace

bool isIndirectCall(const Op &op) { return op.run == runCallIndirect; }
bool splitsLanes(const ptx::Instruction &i) { return i.opcode == "call" && (i.guard >= 0 || isIndirect(i)); }

// A number for the shape of a parameter list.
u32 Decoder::signatureOf(const std::vector<ptx::Variable> &results, const std::vector<ptx::Variable> &parameters) {
  std::vector<u64> shape;
  for (const auto *list : {&results, &parameters}) {
    for (const ptx::Variable &v : *list)
      shape.push_back(v.size << 16 | v.align);
    shape.push_back(~0ull);
  }
  return signatures.emplace(std::move(shape), u32(signatures.size())).first->second;
}

// Every function that can be reached; marks those that need a stack.
std::vector<const ptx::Function *> Decoder::reachable(const ptx::Function &entry) {
  std::set<const ptx::Function *> taken; // functions whose address somebody has
  auto take = [&](std::string_view name) {
    const ptx::Function *f = module.function(name);
    if (f && !f->declaration && !f->entry)
      taken.insert(f);
  };
  for (const ptx::Function &f : module.functions) {
    for (const ptx::Instruction &i : f.body)
      if (i.opcode != "call" && i.opcode != "bra")
        for (const ptx::Operand &o : i.operands)
          if (o.kind == ptx::Operand::Kind::symbol && o.variable < 0)
            take(o.name);
    for (const auto &[label, targets] : f.branchTargets)
      for (const std::string &name : targets)
        take(name);
  }
  for (const ptx::Variable &v : module.variables)
    for (const ptx::Relocation &r : v.relocations)
      take(r.symbol);
  std::map<const ptx::Function *, std::set<const ptx::Function *>> edges;
  std::vector<const ptx::Function *> reach{&entry};
  for (size_t k = 0; k < reach.size(); ++k) {
    auto &to = edges[reach[k]];
    for (const ptx::Instruction &i : reach[k]->body) {
      if (i.opcode != "call")
        continue;
      if (isIndirect(i))
        to.insert(taken.begin(), taken.end());
      for (const ptx::Operand &o : i.operands)
        if (o.kind == ptx::Operand::Kind::symbol)
          if (const ptx::Function *callee = module.function(o.name); callee && !callee->declaration)
            to.insert(callee);
    }
    std::vector<const ptx::Function *> ordered(to.begin(), to.end()); // in the order of the text: runs are repeatable
    std::sort(ordered.begin(), ordered.end());
    for (const ptx::Function *callee : ordered)
      if (std::find(reach.begin(), reach.end(), callee) == reach.end())
        reach.push_back(callee);
    if (reach.size() > 2000)
      return reach;
  }
  for (const ptx::Function *f : reach) {
    std::set<const ptx::Function *> seen;
    std::vector<const ptx::Function *> open{f};
    bool again = taken.count(f) != 0;
    while (!open.empty() && !again) {
      const ptx::Function *at = open.back();
      open.pop_back();
      for (const ptx::Function *to : edges[at]) {
        again |= to == f;
        if (seen.insert(to).second)
          open.push_back(to);
      }
    }
    if (!again || f->entry)
      continue;
    Frame &frame = frameOf(*f);
    frame.activation = u32(program.activations.size());
    frame.stacked = true;
    program.activations.emplace_back().signature = signatureOf(f->results, f->parameters);
    program.callable.resize(module.functions.size(), nowhere);
    program.callable[size_t(f - module.functions.data())] = frame.activation;
  }
  return reach;
}

// After placing and before decoding: registers of stacked functions have planes of their own, known from the start.
bool Decoder::prepareStack(const std::vector<const ptx::Function *> &reach) {
  program.stackBase = program.localBytes;
  for (const ptx::Function *f : reach) {
    Frame &here = frameOf(*f);
    if (!here.stacked)
      continue;
    function = f;
    if (!inMemory(f->results) || !inMemory(f->parameters))
      return refuse("a function that is called by its address or calls itself has its parameters in .param space");
    frame = &here;
    Activation &a = program.activations[here.activation];
    a.frameBytes = (here.frameBytes + 15) / 16 * 16;
    for (size_t r = 0; r < f->registers.size(); ++r) {
      u32 bits = info(f->registers[r].type).bits;
      if (bits == 1) {
        a.predicates.push_back(predicateOf(s32(r)));
        continue;
      }
      u32 plane = planeOf(s32(r));
      a.planes.emplace_back(plane, bits >= 64);
      if (bits == 128)
        a.planes.emplace_back(plane + 256, true);
    }
    program.localBytes = program.stackBase + stackBytes;
  }
  return true;
}

void Decoder::linkCalls() {
  for (auto [at, callee] : callSites) {
    // The call itself is the first operation from here on that is one: argument copies may precede it.
    while (program.code[at].run != runCall)
      ++at;
    program.code[at].x = frames[callee].entryPoint;
  }
  for (const auto &[f, here] : frames)
    if (here.stacked)
      program.activations[here.activation].entryPoint = here.entryPoint;
}

// The plane with the address of a variable of the frame.
u32 Decoder::frameAddress(u64 offset, bool wide) {
  Op op;
  op.run = runFrameAddress;
  op.imm = s64(offset);
  op.flag = wide;
  op.d = scratch(wide);
  op.pipe = Pipe::none;
  before(op);
  return op.d;
}

bool Decoder::runtimeCall(std::string_view name, const std::vector<u32> &arguments, const std::vector<u32> &results,
                          Op &op) {
  op.flag = frame->stacked;
  if (name == "vprintf" && arguments.size() == 2 && results.size() == 1) {
    op.run = runPrintf;
    op.x = arguments[0];
    op.y = arguments[1];
    op.c = results[0];
    return ok();
  }
  if (name == "__assertfail" && arguments.size() == 5) {
    op.run = runAssertFail;
    op.more = arguments;
    return ok();
  }
  return refuse("the external function " + std::string(name) + " is not provided");
}

// A direct call whose parameters may be registers, into static places.
void Decoder::passRegister(const ptx::Function &callee, const ptx::Variable &formal, const ptx::Operand &actual,
                           bool inward) {
  Frame &there = frames[&callee];
  bool wide = info(formal.type).bits == 64;
  u32 mine = inward ? in(actual, formal.type) : out(actual, formal.type), theirs = nowhere;
  for (size_t r = 0; r < callee.registers.size(); ++r)
    if (callee.registers[r].name == formal.name) {
      if (there.planes[r] == nowhere)
        there.planes[r] = scratch(wide);
      theirs = there.planes[r];
      break;
    }
  Op copy;
  copy.pipe = Pipe::none;
  copy.run = wide ? runMove64 : runMove32;
  copy.a = inward ? mine : theirs;
  copy.d = inward ? theirs : mine;
  if (inward)
    before(copy);
  else
    after(copy);
}

bool Decoder::call(const ptx::Instruction &i, Op &op) {
  using Kind = ptx::Operand::Kind;
  static const std::vector<ptx::Operand> none;
  op.pipe = Pipe::control;
  size_t at = i.operands[0].kind == Kind::list ? 1 : 0;
  if (at >= i.operands.size())
    return refuse("names no function");
  const auto &results = at ? i.operands[0].elements : none;
  bool listed = i.operands.size() > at + 1 && i.operands[at + 1].kind == Kind::list;
  const auto &arguments = listed ? i.operands[at + 1].elements : none;
  auto localOf = [&](const ptx::Operand &o) -> u32 {
    if (o.variable >= 0)
      return u32(frame->variables[size_t(o.variable)]);
    auto found = frame->locals.find(std::string(o.name));
    if (found != frame->locals.end())
      return found->second;
    refuse("the argument " + std::string(o.name) + " is not a .param variable");
    return 0;
  };
  const std::vector<ptx::Variable> *formalResults = nullptr, *formals = nullptr;
  const ptx::Function *callee = nullptr;
  bool indirect = isIndirect(i), stacked = indirect;
  if (indirect) {
    const ptx::Operand &list = i.operands.back();
    auto prototype = function->prototypes.find(list.name);
    auto targets = function->branchTargets.find(list.name);
    if (prototype != function->prototypes.end()) {
      formalResults = &prototype->second.results, formals = &prototype->second.parameters;
    } else if (targets != function->branchTargets.end() && !targets->second.empty()) {
      callee = module.function(targets->second[0]);
    } else if (list.kind == Kind::symbol) {
      for (const ptx::Variable &v : module.variables) // an array of addresses
        if (v.name == list.name && !v.relocations.empty())
          callee = module.function(v.relocations[0].symbol);
    }
    if (callee)
      formalResults = &callee->results, formals = &callee->parameters;
    if (!formals)
      return refuse("an indirect call needs a prototype or a list of targets");
    op.a = in(i.operands[at], ptx::Type::b64);
    op.run = runCallIndirect;
    op.x = signatureOf(*formalResults, *formals);
  } else {
    if (i.operands[at].kind != Kind::symbol)
      return refuse("names no function");
    std::string_view name = i.operands[at].name;
    callee = module.function(name);
    if (!callee)
      return refuse("there is no function " + std::string(name));
    if (callee->declaration) {
      std::vector<u32> in, out;
      for (const ptx::Operand &o : arguments)
        in.push_back(localOf(o));
      for (const ptx::Operand &o : results)
        out.push_back(localOf(o));
      return runtimeCall(name, in, out, op);
    }
    if (callee->entry || !frames.count(callee))
      return refuse(std::string(name) + " is not a function that can be called");
    formalResults = &callee->results, formals = &callee->parameters;
    stacked = frames[callee].stacked;
    op.run = runCall;
    op.y = stacked ? frames[callee].activation : nowhere;
    callSites.emplace_back(u32(program.code.size()), callee);
  }
  if (formals->size() != arguments.size() || formalResults->size() != results.size())
    return refuse("the call does not fit the declaration of its function");
  if (stacked && (!inMemory(*formals) || !inMemory(*formalResults)))
    return refuse("a function that is called by its address or calls itself has its parameters in .param space");
  std::vector<u32> places;
  layout(*formals, layout(*formalResults, 0, places), places);
  auto pass = [&](size_t k, const ptx::Variable &formal, const ptx::Operand &actual, bool inward) {
    if (formal.space != ptx::Space::param)
      return passRegister(*callee, formal, actual, inward);
    Op copy;
    copy.pipe = Pipe::none;
    copy.run = runCopyLocal;
    u32 mine = localOf(actual), theirs = stacked ? places[k] : frames[callee].locals[formal.name];
    u8 here = u8(frame->stacked ? Base::frame : Base::fixed), there = u8(stacked ? Base::top : Base::fixed);
    copy.x = inward ? mine : theirs;
    copy.flag = inward ? here : there;
    copy.y = inward ? theirs : mine;
    copy.flag2 = inward ? there : here;
    copy.c = u32(formal.size);
    if (inward)
      before(copy);
    else
      after(copy);
  };
  for (size_t k = 0; k < arguments.size(); ++k)
    pass(results.size() + k, (*formals)[k], arguments[k], true);
  for (size_t k = 0; k < results.size(); ++k)
    pass(k, (*formalResults)[k], results[k], false);
  if (stacked) {
    Op restore;
    restore.pipe = Pipe::none;
    restore.run = runRestore;
    after(restore);
  }
  return ok();
}

} // namespace tessera::vgpu
