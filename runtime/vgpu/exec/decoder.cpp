// Operands and variables: planes for registers and constants, offsets in shared and local memory, addresses of symbols.
#include "runtime/vgpu/exec/decoder.h"
#include "runtime/vgpu/exec/ops.h"
#include "runtime/vgpu/exec/requirements.h"
#include "runtime/vgpu/exec/warpgroup.h"
#include "runtime/vgpu/ptx/opcodes.h"
#include <algorithm>
#include <set>

namespace tessera::vgpu {
namespace {

uint64_t alignUp(uint64_t value, uint64_t to) { return to ? (value + to - 1) / to * to : value; }

const std::map<std::string_view, Special> &specialNames() {
  static const std::map<std::string_view, Special> names{{"%tid", Special::tidX},
                                                         {"%ntid", Special::ntidX},
                                                         {"%ctaid", Special::ctaidX},
                                                         {"%nctaid", Special::nctaidX},
                                                         {"%laneid", Special::laneid},
                                                         {"%warpid", Special::warpid},
                                                         {"%nwarpid", Special::nwarpid},
                                                         {"%smid", Special::smid},
                                                         {"%nsmid", Special::nsmid},
                                                         {"%gridid", Special::gridid},
                                                         {"%lanemask_eq", Special::lanemaskEq},
                                                         {"%lanemask_le", Special::lanemaskLe},
                                                         {"%lanemask_lt", Special::lanemaskLt},
                                                         {"%lanemask_ge", Special::lanemaskGe},
                                                         {"%lanemask_gt", Special::lanemaskGt},
                                                         {"%clusterid", Special::clusteridX},
                                                         {"%nclusterid", Special::nclusteridX},
                                                         {"%cluster_ctaid", Special::clusterCtaidX},
                                                         {"%cluster_nctaid", Special::clusterNctaidX},
                                                         {"%cluster_ctarank", Special::clusterCtarank},
                                                         {"%cluster_nctarank", Special::clusterNctarank},
                                                         {"%is_explicit_cluster", Special::isExplicitCluster},
                                                         {"%dynamic_smem_size", Special::dynamicSmem},
                                                         {"%total_smem_size", Special::totalSmem},
                                                         {"%aggr_smem_size", Special::totalSmem},
                                                         {"%envreg1", Special::envreg1},
                                                         {"%envreg2", Special::envreg2}};
  return names;
}

void narrow(Warp &w, const Op &op) {
  map1<u32, u64>(w, op, [](u64 a) { return u32(a); });
}
template <class From, class To> void widen(Warp &w, const Op &op) {
  map1<To, From>(w, op, [](From a) { return To(std::conditional_t<std::is_signed_v<From>, s64, u64>(a)); });
}
} // namespace

Decoder::Decoder(const ptx::Module &m, const SymbolTable &s, Program &p) : module(m), program(p), symbols(s) {
  program.module = &module;
}

bool Decoder::refuse(const std::string &why) {
  if (failure.empty())
    failure = "line " +
              std::to_string(instruction ? instruction->line
                             : function  ? function->line
                                         : 0) +
              ": " + (instruction ? std::string(instruction->opcode) + ": " : "") + why;
  return false;
}

uint32_t Decoder::scratch(bool wide) {
  uint32_t at = program.registerBytes;
  program.registerBytes += wide ? 256 : 128;
  return at;
}

uint32_t Decoder::constant(uint64_t bits, bool wide) {
  if (!wide)
    bits = uint32_t(bits);
  auto [entry, fresh] = constants.emplace(std::pair(bits, wide), 0);
  if (fresh) {
    entry->second = uint32_t(program.constants.size() * 4) | constantBank;
    for (uint32_t l = 0; l < lanes; ++l) {
      program.constants.push_back(uint32_t(bits));
      if (wide)
        program.constants.push_back(uint32_t(bits >> 32));
    }
  }
  return entry->second;
}

uint32_t Decoder::special(Special which) {
  auto [entry, fresh] = specials.emplace(which, 0);
  if (fresh) {
    entry->second = scratch(false);
    program.specials.emplace_back(which, entry->second);
  }
  return entry->second;
}

uint32_t Decoder::planeOf(int32_t reg) {
  uint32_t &plane = frame->planes[size_t(reg)];
  uint32_t bits = info(function->registers[size_t(reg)].type).bits;
  if (plane == nowhere)
    plane = scratch(bits >= 64);
  if (bits == 128 && plane + 256 == program.registerBytes)
    scratch(true); // the upper half follows
  return plane;
}

uint32_t Decoder::quad(const ptx::Operand &operand) {
  if (info(typeOf(operand)).bits != 128)
    return refuse("expected a .b128 register"), 0;
  touch(operand, &operand == instruction->operands.data()); // the first operand is the destination
  return planeOf(operand.reg);
}

ptx::Type Decoder::typeOf(const ptx::Operand &operand) const {
  return operand.kind == ptx::Operand::Kind::reg ? function->registers[size_t(operand.reg)].type : ptx::Type::none;
}

void Decoder::touch(const ptx::Operand &operand, bool write) {
  if (instruction && operand.reg >= 0)
    touches.push_back({uint32_t(instruction - function->body.data()), operand.reg, write});
}

// The constant that an immediate or a symbol's address stands for.
bool Decoder::value(const ptx::Operand &operand, uint64_t &bits, bool &isConstant) {
  isConstant = true;
  if (operand.kind == ptx::Operand::Kind::immediate) {
    bits = operand.bits;
    return true;
  }
  if (operand.kind != ptx::Operand::Kind::symbol &&
      !(operand.kind == ptx::Operand::Kind::address && !operand.name.empty())) {
    isConstant = false;
    return true;
  }
  uint64_t base = 0;
  auto local = frame->locals.find(std::string(operand.name));
  if (operand.variable >= 0) {
    base = frame->variables[size_t(operand.variable)];
  } else if (local != frame->locals.end()) {
    base = local->second;
  } else if (auto found = symbols.find(operand.name); found != symbols.end()) {
    base = found->second;
  } else if (const ptx::Function *f = module.function(operand.name); f && !f->declaration) {
    base = functionWindow + uint64_t(f - module.functions.data()) * functionStride;
  } else {
    bool parameter = false;
    for (size_t i = 0; function->entry && i < function->parameters.size(); ++i)
      if (function->parameters[i].name == operand.name)
        base = program.parameters[i].offset, parameter = true;
    auto shared = sharedNames.find(std::string(operand.name));
    if (!parameter && shared != sharedNames.end())
      base = shared->second;
    else if (!parameter)
      return refuse(std::string(operand.name) + " is not declared");
  }
  bits = base + uint64_t(operand.offset);
  return true;
}

// Whether a symbol is a variable of a stacked function's frame.
bool Decoder::inFrame(const ptx::Operand &operand) const {
  if (!frame->stacked)
    return false;
  if (operand.variable >= 0) {
    ptx::Space space = function->variables[size_t(operand.variable)].space;
    return space == ptx::Space::local || space == ptx::Space::param;
  }
  return frame->locals.count(std::string(operand.name)) != 0;
}

uint32_t Decoder::in(const ptx::Operand &operand, ptx::Type type) {
  using Kind = ptx::Operand::Kind;
  const ptx::TypeInfo &want = info(type);
  bool wide = want.bits == 64;
  switch (operand.kind) {
  case Kind::reg: {
    const ptx::TypeInfo &have = info(typeOf(operand));
    if (have.kind == 'p' || want.bits == 128 || have.bits == 128)
      return refuse("the operand " + std::string(operand.name) + " has the wrong type"), 0;
    uint32_t plane = planeOf(operand.reg);
    touch(operand, false);
    if ((have.bits == 64) == wide && have.bits >= want.bits)
      return plane;
    if (have.bits == 64 && !wide) {
      Op low;
      low.run = narrow;
      low.a = plane;
      low.d = scratch(false);
      before(low);
      return low.d;
    }
    return refuse("the register " + std::string(operand.name) + " is narrower than ." + std::string(want.name)), 0;
  }
  case Kind::immediate: {
    uint64_t bits = operand.bits;
    if (operand.real) {
      if (want.bits == 64)
        bits = operand.single ? std::bit_cast<u64>(double(std::bit_cast<float>(u32(bits)))) : bits;
      else if (want.bits == 32)
        bits = operand.single ? bits : std::bit_cast<u32>(float(std::bit_cast<double>(bits)));
      else
        return refuse("a floating-point constant of ." + std::string(want.name)), 0;
    } else if (type == ptx::Type::f32 || type == ptx::Type::f64) {
      bits = type == ptx::Type::f32 ? std::bit_cast<u32>(float(s64(bits))) : std::bit_cast<u64>(double(s64(bits)));
    }
    if (want.bits < 32 && want.bits)
      bits &= (1ull << want.bits) - 1;
    return constant(bits, wide);
  }
  case Kind::special: {
    if (uint32_t need = neededArch(operand.name); need > arch)
      return refuse("the special register " + std::string(operand.name) + " needs sm_" + std::to_string(need)), 0;
    auto found = specialNames().find(operand.name);
    int component = operand.component == 0 ? 0 : operand.component - 'x';
    if (found == specialNames().end() || component < 0 || component > 2 ||
        (operand.component && found->second != Special::tidX && found->second != Special::ntidX &&
         found->second != Special::ctaidX && found->second != Special::nctaidX &&
         found->second != Special::clusteridX && found->second != Special::nclusteridX &&
         found->second != Special::clusterCtaidX && found->second != Special::clusterNctaidX))
      return refuse("the special register " + std::string(operand.name) + " is not known here"), 0;
    uint32_t plane = special(Special(int(found->second) + component));
    if (!wide)
      return plane;
    Op up;
    up.run = widen<u32, u64>;
    up.a = plane;
    up.d = scratch(true);
    before(up);
    return up.d;
  }
  case Kind::symbol: {
    uint64_t bits = 0;
    bool isConstant = false;
    if (!value(operand, bits, isConstant))
      return 0;
    if (inFrame(operand))
      return frameAddress(bits, wide);
    return constant(bits, wide);
  }
  default:
    return refuse("this operand is not a value"), 0;
  }
}

uint32_t Decoder::out(const ptx::Operand &operand, ptx::Type type) {
  const ptx::TypeInfo &want = info(type);
  if (operand.kind == ptx::Operand::Kind::sink)
    return scratch(want.bits == 64);
  if (operand.kind != ptx::Operand::Kind::reg)
    return refuse("the destination is not a register"), 0;
  const ptx::TypeInfo &have = info(typeOf(operand));
  if (have.kind == 'p' || have.bits == 128 || want.bits == 128 || have.bits < std::min<uint32_t>(want.bits, 64))
    return refuse("the destination " + std::string(operand.name) + " has the wrong type"), 0;
  uint32_t plane = planeOf(operand.reg);
  touch(operand, true);
  bool grow = have.bits == 64 && want.bits < 64, sign = want.kind == 's' && want.bits < have.bits;
  if (!grow && !sign)
    return plane;
  Op up;
  up.d = plane;
  up.a = scratch(false);
  if (have.bits == 64)
    up.run = want.kind == 's' ? (want.bits == 8    ? widen<s8, u64>
                                 : want.bits == 16 ? widen<s16, u64>
                                                   : widen<s32, u64>)
                              : (want.bits == 8    ? widen<u8, u64>
                                 : want.bits == 16 ? widen<u16, u64>
                                                   : widen<u32, u64>);
  else if (have.bits == 32)
    up.run = want.bits == 8 ? widen<s8, u32> : widen<s16, u32>;
  else
    up.run = widen<s8, u16>;
  after(up);
  return up.a;
}

uint32_t Decoder::predicateIn(const ptx::Operand &operand, bool &negated) {
  if (operand.kind != ptx::Operand::Kind::reg || typeOf(operand) != ptx::Type::pred)
    return refuse("expected a predicate"), 0;
  negated = operand.negated;
  touch(operand, false);
  return predicateOf(operand.reg);
}

uint32_t Decoder::predicateOf(int32_t reg) {
  uint32_t &p = frame->predicateOf[size_t(reg)];
  if (p == nowhere)
    p = program.predicates++;
  return p;
}

uint32_t Decoder::predicateOut(const ptx::Operand &operand) {
  if (operand.kind == ptx::Operand::Kind::sink)
    return program.predicates++;
  if (operand.kind != ptx::Operand::Kind::reg || typeOf(operand) != ptx::Type::pred)
    return refuse("expected a predicate"), 0;
  touch(operand, true);
  return predicateOf(operand.reg);
}

bool Decoder::immediate(const ptx::Operand &operand, int64_t &number) {
  if (operand.kind != ptx::Operand::Kind::immediate || operand.real)
    return refuse("expected an integer constant");
  number = int64_t(operand.bits);
  return true;
}

Decoder::Address Decoder::address(const ptx::Operand &operand, ptx::Space space) {
  Address a;
  a.space = space;
  if (operand.kind != ptx::Operand::Kind::address) {
    refuse("expected an address in brackets");
    return a;
  }
  // Parameters of a called function live in its local memory.
  if (space == ptx::Space::param && (!function->entry || operand.variable >= 0))
    a.space = ptx::Space::local;
  if (operand.reg >= 0) {
    ptx::Type type = function->registers[size_t(operand.reg)].type;
    if (info(type).bits < 32 || info(type).kind == 'p' || info(type).bits > 64) {
      refuse("the address register has the wrong type");
      return a;
    }
    a.wide = info(type).bits == 64;
    a.plane = planeOf(operand.reg);
    touch(operand, false);
    a.offset = operand.offset;
    return a;
  }
  uint64_t bits = 0;
  bool isConstant = false;
  if (operand.name.empty())
    bits = uint64_t(operand.offset);
  else if (!value(operand, bits, isConstant))
    return a;
  if (space == ptx::Space::generic && operand.variable >= 0) {
    ptx::Space of = function->variables[size_t(operand.variable)].space;
    bits += of == ptx::Space::shared ? sharedWindow : of == ptx::Space::local ? localWindow : 0;
  }
  if (inFrame(operand)) {
    a.plane = frameAddress(bits, true);
    return a;
  }
  a.plane = constant(0, true);
  a.offset = int64_t(bits);
  return a;
}

Decoder::Frame &Decoder::frameOf(const ptx::Function &f) {
  Frame &made = frames[&f];
  if (!made.placed) {
    made.placed = true;
    made.planes.assign(f.registers.size(), nowhere);
    made.predicateOf.assign(f.registers.size(), nowhere);
  }
  return made;
}

// Static places for the variables of a function, and for the module's shared variables that it names.
void Decoder::placeVariables(const ptx::Function &f) {
  Frame &here = frameOf(f);
  auto local = [&](const ptx::Variable &v) {
    uint32_t &end = here.stacked ? here.frameBytes : program.localBytes;
    end = uint32_t(alignUp(end, v.align));
    uint32_t at = end;
    end += uint32_t(v.size);
    return at;
  };
  if (!f.entry)
    for (const auto *list : {&f.results, &f.parameters})
      for (const ptx::Variable &v : *list)
        if (v.space == ptx::Space::param)
          here.locals[v.name] = local(v);
  auto shared = [&](const ptx::Variable &v) {
    program.sharedBytes = uint32_t(alignUp(program.sharedBytes, v.align));
    uint32_t at = program.sharedBytes;
    program.sharedBytes += uint32_t(v.size);
    return at;
  };
  for (const ptx::Variable &v : f.variables)
    here.variables.push_back(v.space == ptx::Space::shared                                  ? shared(v)
                             : v.space == ptx::Space::local || v.space == ptx::Space::param ? local(v)
                                                                                            : 0);
  std::set<std::string_view> names;
  for (const ptx::Instruction &i : f.body)
    for (const ptx::Operand &o : i.operands) {
      if (o.variable < 0 && !o.name.empty())
        names.insert(o.name);
      for (const ptx::Operand &e : o.elements)
        if (e.variable < 0 && !e.name.empty())
          names.insert(e.name);
    }
  for (const ptx::Variable &v : module.variables)
    if (v.space == ptx::Space::shared && !v.unsized && names.count(v.name) && !sharedNames.count(v.name))
      sharedNames[v.name] = shared(v);
}

void Decoder::before(Op op) {
  op.source = uint32_t(program.sources.size()) - 1;
  if (instruction && instruction->guard >= 0 && !ignoreGuard) {
    ptx::Operand guard;
    guard.kind = ptx::Operand::Kind::reg;
    guard.reg = instruction->guard;
    bool negated = false;
    op.guard = int32_t(predicateIn(guard, negated));
    op.guardNegated = instruction->guardNegated;
  }
  program.code.push_back(std::move(op));
}

void Decoder::after(Op op) { trailing.push_back(std::move(op)); }

bool Decoder::decodeInstruction(const ptx::Instruction &i) {
  instruction = &i;
  const ptx::Opcode *row = ptx::opcodeNamed(i.opcode);
  if (row && row->minArch > arch)
    return refuse("needs sm_" + std::to_string(row->minArch) + " or newer, the chip is sm_" + std::to_string(arch));
  if (uint32_t need = neededArch(i); need > arch)
    return refuse("this form needs sm_" + std::to_string(need) + " or newer, the chip is sm_" + std::to_string(arch));
  if (row && row->archSpecific && (arch != 90 || !module.target.ends_with('a')))
    return refuse("exists only on sm_90a, the module's target is " + module.target);
  auto found = opTable().find(i.opcode);
  Op op;
  if (found == opTable().end())
    return refuse("is not implemented by the virtual GPU");
  if (!found->second(*this, i, op) || !ok())
    return ok() ? refuse("this form is not implemented by the virtual GPU") : false;
  if (op.run)
    before(std::move(op));
  for (Op &late : trailing)
    before(std::move(late));
  trailing.clear();
  return ok();
}

Result<std::unique_ptr<Program>> decodeKernel(const ptx::Module &module, const ptx::Function &entry,
                                              const SymbolTable &symbols, uint32_t arch) {
  auto program = std::make_unique<Program>();
  Decoder decoder(module, symbols, *program);
  decoder.arch = arch;
  TESSERA_TRY(decoder.decode(entry));
  guardRegisters(*program);
  return program;
}

} // namespace tessera::vgpu
