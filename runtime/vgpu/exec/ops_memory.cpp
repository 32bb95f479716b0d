// Loads, stores, address conversion (ISA 9.7.9.8 to 9.7.9.24).
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/families.h"
#include <chrono>

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

// op.x: space; op.y: not through the L1; op.more: a data plane for each element; op.flag2: the access is atomic
// (volatile, relaxed or stronger).
template <class T> void runLoad(Warp &w, const Op &op) {
  Access x;
  x.mask = w.mask;
  x.bytes = sizeof(T) * op.count;
  x.atomic = op.flag2 & 1;
  x.order = op.flag2 >> 1;
  x.uncached = op.y;
  gatherAddresses(w, op, x);
  if (!resolve(w, op, Space(op.x), x))
    return;
  for (u32 k = 0; k < op.count; ++k) {
    auto *to = w.plane<Cell<T>>(op.more[k]);
    for (u32 l = 0; l < lanes; ++l)
      if (x.mask >> l & 1) {
        T value;
        std::memcpy(&value, x.at[l] + k * sizeof(T), sizeof(T));
        to[l] = value;
      }
  }
}

// Lanes of one store to one place are allowed while they store the same value; true when they do.
template <class T> bool sameValues(Warp &w, const Op &op, const Access &x) {
  for (u32 l = 0; l < lanes; ++l)
    for (u32 k = 0; k < op.count && (x.mask >> l & 1); ++k) {
      T value = T(w.in<Cell<T>>(op.more[k])[l]);
      u8 *at = x.at[l] + k * sizeof(T);
      if ((x.rewrites >> l & 1) && std::memcmp(at, &value, sizeof(T)) != 0) {
        w.fail(Fault::race, l, x.address[l],
               "writes shared memory at offset " + std::to_string(x.address[l] & 0xffffff) +
                   " that another lane of the same warp wrote with another value, with no bar.warp.sync between");
        return false;
      }
      std::memcpy(at, &value, sizeof(T));
    }
  return true;
}

template <class T> void runStore(Warp &w, const Op &op) {
  Access x;
  x.mask = w.mask;
  x.bytes = sizeof(T) * op.count;
  x.atomic = op.flag2 & 1;
  x.order = op.flag2 >> 1;
  x.write = x.compares = true;
  x.read = false;
  gatherAddresses(w, op, x);
  if (!resolve(w, op, Space(op.x), x))
    return;
  if (x.rewrites && !sameValues<T>(w, op, x)) [[unlikely]]
    return;
  for (u32 k = 0; k < op.count; ++k) {
    const auto *from = w.in<Cell<T>>(op.more[k]);
    for (u32 l = 0; l < lanes; ++l)
      if (x.mask >> l & 1) {
        T value = T(from[l]);
        std::memcpy(x.at[l] + k * sizeof(T), &value, sizeof(T));
      }
  }
}

// A kernel parameter at a fixed place: the same for all lanes.
template <class T> void runLoadParam(Warp &w, const Op &op) {
  for (u32 k = 0; k < op.count; ++k) {
    T value;
    std::memcpy(&value, w.launch->parameters.data() + op.imm + k * sizeof(T), sizeof(T));
    alignas(64) Cell<T> t[lanes];
    for (u32 l = 0; l < lanes; ++l)
      t[l] = value;
    w.put(op.more[k], t);
  }
}

Pipe pipeOf(Space space) {
  return space == Space::shared  ? Pipe::shared
         : space == Space::local ? Pipe::local
         : space == Space::param ? Pipe::alu
                                 : Pipe::global;
}

template <bool load> bool transfer(Decoder &d, const Instruction &i, Op &op) {
  Type t = i.type();
  bool quad = t == Type::b128;
  if (i.types.size() != 1 || info(t).kind == 'p' || (info(t).bits > 64 && !quad) || info(t).bits < 8)
    return false;
  Space space = i.space();
  if (space == Space::reg)
    return false;
  const Operand &data = i.operands[load ? 0 : 1];
  Decoder::Address a = d.address(i.operands[load ? 1 : 0], space);
  op.a = a.plane;
  op.flag = a.wide;
  op.imm = a.offset;
  op.x = u32(a.space);
  op.pipe = pipeOf(a.space);
  op.bytes = u8(std::min<u32>(bytesOf(t), 8));
  op.count = quad ? 2 : i.has("v2") ? 2 : i.has("v4") ? 4 : i.has("v8") ? 8 : 1;
  for (std::string_view order : {"volatile", "relaxed", "acquire", "release", "mmio"})
    op.flag2 |= i.has(order);
  op.y = i.has("cg") || i.has("cv");
  op.flag2 |= i.has("acquire") ? Access::acquire << 1 : i.has("release") ? Access::release << 1 : 0;
  if (op.count * op.bytes > 16 || (quad && (i.has("v2") || i.has("v4"))))
    return d.refuse("vectors of more than 16 bytes need sm_100");
  if (quad) {
    u32 plane = d.quad(data);
    op.more = {plane, plane + 256};
  } else if (data.kind == Operand::Kind::vector ? data.elements.size() != op.count : op.count != 1)
    return d.refuse("the vector has the wrong number of registers");
  for (u32 k = 0; k < op.count && !quad; ++k) {
    const Operand &element = data.kind == Operand::Kind::vector ? data.elements[k] : data;
    op.more.push_back(load ? d.out(element, t) : d.in(element, t));
  }
  bool fixed = load && a.space == Space::param && i.operands[1].reg < 0;
  if (fixed) {
    if (a.offset < 0 || u64(a.offset) + op.bytes * op.count > d.program.parameterBytes)
      return d.refuse("reads beyond the kernel's parameters");
    op.pipe = Pipe::alu;
    op.run = op.bytes == 1   ? runLoadParam<u8>
             : op.bytes == 2 ? runLoadParam<u16>
             : op.bytes == 4 ? runLoadParam<u32>
                             : runLoadParam<u64>;
    return d.ok();
  }
  if (load)
    op.run = op.bytes == 1 ? runLoad<u8> : op.bytes == 2 ? runLoad<u16> : op.bytes == 4 ? runLoad<u32> : runLoad<u64>;
  else
    op.run = op.bytes == 1   ? runStore<u8>
             : op.bytes == 2 ? runStore<u16>
             : op.bytes == 4 ? runStore<u32>
                             : runStore<u64>;
  return d.ok();
}

u64 windowOf(Space space) {
  return space == Space::shared  ? sharedWindow
         : space == Space::local ? localWindow
         : space == Space::param ? paramWindow
                                 : 0;
}
void runAddWindow(Warp &w, const Op &op) {
  u64 window = u64(op.imm);
  map1<u64, u64>(w, op, [window](u64 a) { return a + window; });
}
void runIsSpace(Warp &w, const Op &op) {
  const auto *a = w.in<u64>(op.a);
  u32 bits = 0;
  for (u32 l = 0; l < lanes; ++l) {
    u64 high = a[l] >> 32;
    bool special = high == sharedWindow >> 32 || high == localWindow >> 32 || high == paramWindow >> 32;
    bool yes = op.flag2 ? false : op.imm ? high == u64(op.imm) >> 32 : !special;
    if (op.flag && yes) // shared::cta: the block's own memory only
      yes = (u32(a[l]) >> clusterShift) == 0 || (u32(a[l]) >> clusterShift) == w.block->clusterRank + 1;
    bits |= u32(yes) << l;
  }
  w.putPredicate(op.d, bits);
}

void runMapa(Warp &w, const Op &op) {
  bool wide = op.flag;
  const auto *rank = w.in<u32>(op.b);
  alignas(64) u64 t[lanes];
  alignas(64) u32 n[lanes];
  for (u32 l = 0; l < lanes; ++l) {
    u64 a = wide ? w.in<u64>(op.a)[l] : w.in<u32>(op.a)[l];
    u64 low = a & ((1u << clusterShift) - 1);
    t[l] = (a & ~0xffffffffull) | u64(rank[l] + 1) << clusterShift | low;
    n[l] = u32(t[l]);
    if ((w.mask >> l & 1) && rank[l] >= w.block->cluster.size())
      return w.fail(Fault::illegal, l, a,
                    "mapa of block " + std::to_string(rank[l]) + " in a cluster of " +
                        std::to_string(w.block->cluster.size()));
  }
  if (wide)
    w.put(op.d, t);
  else
    w.put(op.d, n);
}
void runGetRank(Warp &w, const Op &op) {
  alignas(64) u32 t[lanes];
  for (u32 l = 0; l < lanes; ++l) {
    u32 a = op.flag ? u32(w.in<u64>(op.a)[l]) : w.in<u32>(op.a)[l];
    t[l] = a >> clusterShift ? (a >> clusterShift) - 1 : w.block->clusterRank;
  }
  w.put(op.d, t);
}

void runNothing(Warp &, const Op &) {}
bool nothing(Decoder &, const Instruction &, Op &op) {
  op.run = runNothing;
  op.pipe = Pipe::none;
  return true;
}

// Clocks: a warp's own count of instructions, so that a run is repeatable.
void runClock(Warp &w, const Op &op) {
  u64 now = w.worker->warpInstructions + w.instructions;
  if (op.flag == 1)
    now *= 1; // nanoseconds: one a warp instruction
  alignas(64) u64 t[lanes];
  alignas(64) u32 n[lanes];
  for (u32 l = 0; l < lanes; ++l)
    t[l] = now, n[l] = u32(op.flag2 ? now >> 32 : now);
  if (op.bytes == 8)
    w.put(op.d, t);
  else
    w.put(op.d, n);
}
} // namespace

bool decodeClock(Decoder &d, const Instruction &i, Op &op) {
  std::string_view name = i.operands[1].name;
  if (name != "%clock" && name != "%clock64" && name != "%clock_hi" && !name.starts_with("%globaltimer"))
    return false;
  op.run = runClock;
  op.flag2 = name.ends_with("_hi");
  op.bytes = u8(bytesOf(i.type()));
  op.d = d.out(i.operands[0], i.type());
  return true;
}

void addMemoryOps(OpTable &table) {
  table["ld"] = transfer<true>;
  table["ldu"] = transfer<true>;
  table["st"] = transfer<false>;
  for (std::string_view hint : {"prefetch", "prefetchu", "applypriority", "discard", "pmevent", "brkpt"})
    table[hint] = nothing;
  table["createpolicy.range"] = table["createpolicy.cvt"] =
      table["createpolicy.fractional"] = [](Decoder &d, const Instruction &i, Op &op) {
        op.run = [](Warp &w, const Op &o) { map1<u64, u64>(w, o, [](u64 a) { return a; }); };
        op.a = d.constant(0, true);
        op.d = d.out(i.operands[0], Type::b64);
        return d.ok();
      };
  table["cvta"] = [](Decoder &d, const Instruction &i, Op &op) {
    if (info(i.type()).bits != 64)
      return false;
    u64 window = windowOf(i.space());
    if (i.space() == Space::param && !d.function->entry)
      window = localWindow;
    op.imm = i.has("to") ? -s64(window) : s64(window);
    op.run = runAddWindow;
    op.a = d.in(i.operands[1], Type::b64);
    op.d = d.out(i.operands[0], Type::b64);
    return d.ok();
  };
  table["isspacep"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.imm = s64(windowOf(i.space()));
    op.flag2 = i.has("const"); // constants are in no window of their own here: never a generic address
    op.flag = i.has("shared") || i.has("shared::cta");
    op.run = runIsSpace;
    op.a = d.in(i.operands[1], Type::b64);
    op.d = d.predicateOut(i.operands[0]);
    return d.ok();
  };
  table["mapa"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runMapa;
    op.flag = info(i.type()).bits == 64;
    op.a = d.in(i.operands[1], i.type());
    op.b = d.in(i.operands[2], Type::u32);
    op.d = d.out(i.operands[0], i.type());
    return d.ok();
  };
  table["getctarank"] = [](Decoder &d, const Instruction &i, Op &op) {
    op.run = runGetRank;
    op.flag = info(i.type()).bits == 64;
    op.a = d.in(i.operands[1], i.type());
    op.d = d.out(i.operands[0], Type::u32);
    return d.ok();
  };
}

} // namespace tessera::vgpu
