#include "runtime/vgpu/exec/liveness.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {
using Bits = std::vector<uint64_t>;

bool has(const Bits &bits, uint32_t at) { return bits[at / 64] >> (at % 64) & 1; }
void set(Bits &bits, uint32_t at) { bits[at / 64] |= 1ull << (at % 64); }
void clear(Bits &bits, uint32_t at) { bits[at / 64] &= ~(1ull << (at % 64)); }

// Of registers that only loads of a kernel's parameters and moves of constants write.
std::vector<bool> madeAgain(const ptx::Function &f, const std::vector<RegisterTouch> &touches) {
  std::vector<bool> cheap(f.registers.size(), f.entry);
  for (const RegisterTouch &t : touches) {
    if (!t.write)
      continue;
    const ptx::Instruction &i = f.body[t.instruction];
    using Kind = ptx::Operand::Kind;
    const bool parameter = i.opcode == "ld" && i.space() == ptx::Space::param && i.operands[1].reg < 0;
    const bool constant =
        i.opcode == "mov" && (i.operands[1].kind == Kind::immediate || i.operands[1].kind == Kind::symbol);
    if (i.guard >= 0 || !(parameter || constant))
      cheap[size_t(t.reg)] = false;
  }
  return cheap;
}

struct Analysis {
  const Flow &flow;
  const ptx::Function &f;
  std::vector<std::vector<RegisterTouch>> by; // instruction
  std::vector<uint8_t> units;                 // by register; 0 for predicates
  std::vector<Bits> liveIn;                   // by block; the last is the exit

  Analysis(const Flow &with, const std::vector<RegisterTouch> &touches) : flow(with), f(with.f) {
    by.resize(f.body.size());
    for (const RegisterTouch &t : touches)
      by[t.instruction].push_back(t);
    const std::vector<bool> cheap = madeAgain(f, touches);
    for (size_t r = 0; r < f.registers.size(); ++r) {
      const ptx::TypeInfo &type = info(f.registers[r].type);
      units.push_back(type.kind == 'p' || cheap[r] ? 0 : type.bits == 128 ? 4 : type.bits == 64 ? 2 : 1);
    }
    solve();
  }

  // `live` after instruction k becomes what is live before it.
  void back(uint32_t k, Bits &live) const {
    if (f.body[k].guard < 0)
      for (const RegisterTouch &t : by[k])
        if (t.write)
          clear(live, uint32_t(t.reg));
    for (const RegisterTouch &t : by[k])
      if (!t.write)
        set(live, uint32_t(t.reg));
  }

  Bits liveOut(uint32_t block) const {
    Bits out(liveIn.back().size());
    for (uint32_t to : flow.next[block])
      for (size_t w = 0; w < out.size(); ++w)
        out[w] |= liveIn[to][w];
    return out;
  }

  void solve() {
    liveIn.assign(flow.leaders.size() + 1, Bits((f.registers.size() + 63) / 64));
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t b = flow.leaders.size(); b-- > 0;) {
        Bits live = liveOut(uint32_t(b));
        for (uint32_t k = flow.endOf(uint32_t(b)); k-- > flow.leaders[b];)
          back(k, live);
        if (live != liveIn[b]) {
          liveIn[b] = std::move(live);
          changed = true;
        }
      }
    }
  }
};

// A run of loads that nothing orders: an assembler issues them together, ahead of where their values are used, so that
// their results and the addresses of all but the first live at once, beside what lives where the run begins.
struct LoadRun {
  static constexpr uint32_t limit = 16; // units; longer runs are not hoisted as a whole
  static constexpr uint32_t addressUnits = 2;
  uint32_t most = 0;
  uint32_t global = 0, shared = 0, base = 0;
  int32_t lastAddress = -1;

  void step(const ptx::Instruction &i, uint32_t liveBefore, uint32_t resultUnits) {
    const std::string_view op = i.opcode;
    const bool isShared = op == "ldmatrix" || i.space() == ptx::Space::shared;
    if (op == "bar" || op == "barrier" || op == "call" || op == "membar" || op == "fence" || op == "atom")
      global = shared = 0;
    else if (op == "st" || op == "red")
      (isShared ? shared : global) = 0;
    if (global + shared == 0)
      base = liveBefore;
    if ((op != "ld" && op != "ldu" && op != "ldmatrix") || i.space() == ptx::Space::param ||
        i.space() == ptx::Space::constant)
      return;
    const int32_t address = i.operands[1].reg;
    const bool another = global + shared && address != lastAddress;
    (isShared ? shared : global) += resultUnits + (another ? addressUnits : 0);
    lastAddress = address;
    most = std::max(most, base + std::min(global + shared, limit));
  }
};
} // namespace

FunctionNeed liveRegisters(const Flow &flow, const std::vector<RegisterTouch> &touches) {
  FunctionNeed need;
  // A bit for each register and block, 256 MiB at most. No compiler writes such a function; it is taken to need all.
  if (uint64_t(flow.leaders.size()) * flow.f.registers.size() > (1ull << 31)) {
    need.live = 255;
    need.line = flow.f.line;
    return need;
  }
  const Analysis a(flow, touches);
  std::vector<std::pair<int32_t, bool>> touched; // and whether it lived after the instruction
  auto isPredicate = [&](size_t r) { return info(a.f.registers[r].type).kind == 'p'; };
  std::vector<std::pair<uint32_t, uint32_t>> before; // by instruction of a block: live units, units of its results
  for (uint32_t b = 0; b < flow.leaders.size(); ++b) {
    before.assign(flow.endOf(b) - flow.leaders[b], {});
    Bits live = a.liveOut(b);
    uint32_t count = 0, predicates = 0;
    for (size_t r = 0; r < a.units.size(); ++r)
      if (has(live, uint32_t(r)))
        count += a.units[r], predicates += isPredicate(r);
    for (uint32_t k = flow.endOf(b); k-- > flow.leaders[b];) {
      // Results need a place even where nobody reads them.
      uint32_t results = 0, written = 0;
      for (const RegisterTouch &t : a.by[k])
        if (t.write) {
          written += a.units[size_t(t.reg)];
          results += has(live, uint32_t(t.reg)) ? 0 : a.units[size_t(t.reg)];
        }
      if (count + results > need.live)
        need.live = count + results, need.line = a.f.body[k].line;
      need.predicates = std::max(need.predicates, predicates);
      if (a.f.body[k].opcode == "call")
        need.calls.emplace_back(k, count);
      // Each register once: an instruction may name one several times.
      touched.clear();
      for (const RegisterTouch &t : a.by[k])
        if (std::none_of(touched.begin(), touched.end(), [&](const auto &o) { return o.first == t.reg; }))
          touched.emplace_back(t.reg, has(live, uint32_t(t.reg)));
      a.back(k, live);
      for (const auto &[reg, was] : touched) {
        const bool is = has(live, uint32_t(reg));
        const uint32_t unit = a.units[size_t(reg)], predicate = isPredicate(size_t(reg));
        if (is != was)
          count += is ? unit : 0u - unit, predicates += is ? predicate : 0u - predicate;
      }
      before[k - flow.leaders[b]] = {count, written};
    }
    LoadRun run;
    for (uint32_t k = flow.leaders[b]; k < flow.endOf(b); ++k)
      run.step(a.f.body[k], before[k - flow.leaders[b]].first, before[k - flow.leaders[b]].second);
    need.ahead = std::max(need.ahead, run.most);
    need.live = std::max(need.live, count);
  }
  return need;
}

} // namespace tessera::vgpu
