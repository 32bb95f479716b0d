// wgmma (ISA 9.7.15): D[64, N] += A[64, K] * B[K, N] by the four warps of a warpgroup; each warp does its 16 rows here.
// Operands in shared memory are found through 64-bit descriptors: start, two strides, a swizzle on the final address.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/element.h"
#include "runtime/vgpu/exec/families.h"
#include "runtime/vgpu/exec/tensor_map.h"
#include "runtime/vgpu/exec/tensor_sum.h"
#include "runtime/vgpu/exec/warpgroup.h"
#include <charconv>

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Type;

struct Descriptor {
  u32 start, leading, stride, swizzle; // bytes; swizzle 0 to 3: none, 32, 64, 128 bytes
};

bool decodeDescriptor(Warp &w, u32 plane, Descriptor &d) {
  const auto *values = w.in<u64>(plane);
  u64 v = values[0];
  for (u32 l = 1; l < lanes; ++l)
    if (values[l] != v) {
      w.fail(Fault::divergent, l, values[l], "the matrix descriptor is not the same in all lanes");
      return false;
    }
  constexpr u32 modes[] = {0, 3, 2, 1};
  d = {u32(v & 0x3fff) << 4, u32(v >> 16 & 0x3fff) << 4, u32(v >> 32 & 0x3fff) << 4, modes[v >> 62]};
  if (v >> 49 & 7) {
    w.fail(Fault::illegal, 0, v, "a matrix descriptor with a base offset is not supported");
    return false;
  }
  return true;
}

float valueOf(const u8 *at, Type t) {
  switch (t) {
  case Type::f16:
  case Type::bf16: {
    u16 v;
    std::memcpy(&v, at, 2);
    return t == Type::f16 ? fromF16(v) : fromBf16(v);
  }
  case Type::tf32: {
    u32 v;
    std::memcpy(&v, at, 4);
    return elementAsFloat(v, t);
  }
  case Type::e4m3:
    return fp8Table(false)[*at];
  case Type::e5m2:
    return fp8Table(true)[*at];
  case Type::s8:
    return float(s8(*at));
  default:
    return float(*at);
  }
}

// `rows` lines of K elements of an operand into out[row * K + k], chunk of 16 bytes by chunk. Every `sample`th chunk is
// checked, and noted as being read until the wgmma has been waited for.
bool fetch(Warp &w, const Descriptor &d, Type t, bool mnMajor, u32 from, u32 rows, u32 K, u32 sample, float *out) {
  u32 bytes = info(t).bits == 32 ? 4 : info(t).bits / 8, T = 16 / bytes, atom = 16u << d.swizzle;
  Block &block = *w.block;
  u32 count = 0;
  const bool check = w.launch->options.checkShared;
  auto chunk = [&](u32 offset, auto put) {
    u32 at = swizzled(d.start + offset, d.swizzle);
    if (at + 16 > block.shared.size()) {
      w.fail(Fault::bounds, 0, at,
             "the matrix descriptor leads to shared offset " + std::to_string(at) + " of " +
                 std::to_string(block.shared.size()));
      return false;
    }
    if (check && count++ % sample == 0) {
      if (!checkShared(w, block, 0, at, 16, SharedUse::readAsync))
        return false;
      readByWgmma(w, at);
    }
    for (u32 e = 0; e < T; ++e)
      put(e, valueOf(block.shared.data() + at + e * bytes, t));
    return true;
  };
  if (!mnMajor) {
    for (u32 r = 0; r < rows; ++r)
      for (u32 k = 0; k < K; k += T) {
        u32 row = from + r, line = d.swizzle ? (row % 8) * atom + k * bytes : (row % 8) * 16 + k / T * d.leading;
        if (!chunk(row / 8 * d.stride + line, [&](u32 e, float v) { out[r * K + k + e] = v; }))
          return false;
      }
    return true;
  }
  for (u32 r = 0; r < rows; r += T)
    for (u32 k = 0; k < K; ++k) {
      u32 at = (from + r) * bytes;
      u32 offset = d.swizzle ? at % atom + at / atom * d.leading + (k % 8) * atom + k / 8 * d.stride
                             : (from + r) / T * d.stride + (k % 8) * 16 + k / 8 * d.leading;
      if (!chunk(offset, [&](u32 e, float v) { out[(r + e) * K + k] = v; }))
        return false;
    }
  return true;
}

// op.x: N | K << 16; op.y: element types of A and B and D; op.a: A's descriptor or nowhere; op.b: B's;
// op.c: predicate scale-d or nowhere; op.flag: 1 A transposed, 2 B transposed, 4 negate A, 8 negate B, 16 satfinite,
// 32 scale-d negated, 64 D is never read, 128 bits, eight at a time; more: D planes, then A planes.
void runWgmma(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  u32 N = op.x & 0xffff, K = op.x >> 16;
  auto ta = Type(op.y & 255), tb = Type(op.y >> 8 & 255), td = Type(op.y >> 16);
  bool half = td == Type::f16, whole = td == Type::s32;
  Descriptor da{}, db{};
  if ((op.a != nowhere && !decodeDescriptor(w, op.a, da)) || !decodeDescriptor(w, op.b, db))
    return;
  if (!issueWgmma(w, op, op.a == nowhere ? 0 : w.in<u64>(op.a)[0], w.in<u64>(op.b)[0]))
    return;
  alignas(64) static thread_local float A[16 * 32], B[256 * 32], BT[32 * 256], C[16 * 256];
  u32 first = 16 * (w.index % 4), registersD = half ? N / 4 : N / 2;
  if (op.a != nowhere) {
    if (!fetch(w, da, ta, op.flag & 1, first, 16, K, 1, A))
      return;
  } else {
    u32 bits = info(ta).bits == 32 ? 32 : info(ta).bits, each = 32 / bits;
    for (u32 j = 0; j < 4; ++j) {
      const auto *words = w.in<u32>(op.more[registersD + j]);
      for (u32 l = 0; l < lanes; ++l)
        for (u32 i = 0; i < each; ++i) {
          u32 bitsOf = elementOf(words[l], i, bits);
          A[(l / 4 + 8 * (j & 1)) * K + 4 * each * (j >> 1) + each * (l % 4) + i] =
              isIntegerElement(ta) ? float(elementAsInteger(bitsOf, ta)) : elementAsFloat(bitsOf, ta);
        }
    }
  }
  // The four warps read the same B: one checks all of it, the others enough to miss no barrier.
  if (!fetch(w, db, tb, op.flag & 2, 0, N, K, w.index % 4 ? 8 : 1, B))
    return;
  for (u32 n = 0; n < N; ++n)
    for (u32 k = 0; k < K; ++k)
      BT[k * N + n] = op.flag & 8 ? -B[n * K + k] : B[n * K + k];
  if (op.flag & 4)
    for (u32 e = 0; e < 16 * K; ++e)
      A[e] = -A[e];
  bool add = !(op.flag & 64) && (op.c == nowhere || ((w.predicates[op.c] & 1) != 0) != ((op.flag & 32) != 0));
  // Integer products are summed apart from the accumulator: their sum is exact in f32 (at most 32 x 255 x 255).
  auto place = [&](u32 i, u32 l) { return (l / 4 + 8 * (i >> 1 & 1)) * N + 8 * (i >> 2) + 2 * (l % 4) + (i & 1); };
  if (!add || whole)
    std::memset(C, 0, 16 * N * sizeof(float));
  else
    for (u32 i = 0; i < N / 2; ++i)
      for (u32 l = 0; l < lanes; ++l)
        C[place(i, l)] = half ? fromF16(u16(w.in<u32>(op.more[i / 2])[l] >> 16 * (i & 1))) : w.in<float>(op.more[i])[l];
  const TensorModel model = whole ? TensorModel::ieeeFma : w.launch->options.tensorModel;
  for (u32 e = 0; model != TensorModel::ieeeFma && e < 16 * N; ++e)
    C[e] = tensorSum(model, C[e], A + e / N * K, BT + e % N, N, K, info(ta).bits == 8 ? 13 : 24);
  for (u32 r = 0; model == TensorModel::ieeeFma && r < 16; ++r)
    for (u32 k = 0; k < K; ++k) {
      float a = A[r * K + k];
      if (op.flag & 128) // bits: how many are set in both
        for (u32 n = 0; n < N; ++n)
          C[r * N + n] += float(std::popcount(u32(a) & u32(BT[k * N + n])));
      else
        for (u32 n = 0; n < N; ++n)
          C[r * N + n] = std::fma(a, BT[k * N + n], C[r * N + n]);
    }
  for (u32 i = 0; i < N / 2; i += half ? 2 : 1) {
    alignas(64) u32 t[lanes];
    for (u32 l = 0; l < lanes; ++l) {
      float v = C[place(i, l)];
      if (half)
        t[l] = toF16(v) | u32(toF16(C[place(i + 1, l)])) << 16;
      else if (whole) {
        s64 sum = s64(v) + (add ? w.in<s32>(op.more[i])[l] : 0);
        t[l] = u32(op.flag & 16 ? std::clamp<s64>(sum, INT32_MIN, INT32_MAX) : sum);
      } else
        t[l] = std::bit_cast<u32>(canonical(v));
    }
    w.put(op.more[half ? i / 2 : i], t);
  }
}

template <Run run> bool sync(Decoder &d, const Instruction &i, Op &op) {
  op.run = run;
  op.pipe = Pipe::sync;
  return run != runWgmmaWait || (d.immediate(i.operands[0], op.imm) && op.imm >= 0);
}

bool wgmma(Decoder &d, const Instruction &i, Op &op) {
  u32 N = 0, K = 0;
  for (std::string_view m : i.modifiers)
    if (m.starts_with("m64n")) {
      size_t k = m.find('k');
      std::from_chars(m.data() + 4, m.data() + k, N);
      std::from_chars(m.data() + k + 1, m.data() + m.size(), K);
    }
  if (i.types.size() != 3 || N < 8 || N > 256 || N % 8)
    return d.refuse("this shape is not known");
  Type td = i.types[0], ta = i.types[1], tb = i.types[2];
  bool bits = ta == Type::b1 && tb == ta && i.has("and") && i.has("popc");
  if (bits && K == 256) { // moved and laid out as 32 bytes
    op.flag = 128;
    ta = tb = Type::u8;
    K = 32;
  }
  bool halves = (ta == Type::f16 || ta == Type::bf16) && ta == tb, tf = ta == Type::tf32 && tb == ta;
  bool fp8 = (ta == Type::e4m3 || ta == Type::e5m2) && (tb == Type::e4m3 || tb == Type::e5m2);
  bool whole = (ta == Type::s8 || ta == Type::u8) && (tb == Type::s8 || tb == Type::u8);
  if (!(halves && K == 16) && !(tf && K == 8) && !(fp8 && K == 32) && !(whole && K == 32))
    return d.refuse("this shape and these types do not go together");
  if (whole && N > 32 && N % 16)
    return d.refuse("integer shapes above 32 columns come in steps of 16");
  if (whole ? td != Type::s32 : td != Type::f32 && !(td == Type::f16 && ta != Type::bf16 && !tf))
    return d.refuse("the accumulator has the wrong type");
  op.x = N | K << 16;
  op.y = u32(ta) | u32(tb) << 8 | u32(td) << 16;
  op.pipe = Pipe::tensor;
  op.imm = s64(16) * N * K * 2 * (bits ? 8 : 1);
  op.bytes = bits ? 1 : u8(256 / K); // bits of an element: the tensor pipe's rate goes by them
  op.run = runWgmma;
  if (i.operands[0].elements.size() != (td == Type::f16 ? N / 4 : N / 2))
    return d.refuse("the number of accumulator registers does not fit");
  for (const Operand &e : i.operands[0].elements) {
    d.touch(e, false); // what was accumulated so far
    op.more.push_back(d.out(e, Type::b32));
  }
  op.a = op.c = nowhere;
  bool registers = i.operands[1].kind == Operand::Kind::vector;
  if (registers) {
    if (i.operands[1].elements.size() != 4)
      return d.refuse("A has four registers");
    for (const Operand &e : i.operands[1].elements)
      op.more.push_back(d.in(e, Type::b32));
  } else {
    op.a = d.in(i.operands[1], Type::b64);
  }
  op.b = d.in(i.operands[2], Type::b64);
  if (i.operands[3].kind == Operand::Kind::immediate) {
    op.flag |= i.operands[3].bits == 0 ? 64 : 0;
  } else {
    bool negated = false;
    op.c = d.predicateIn(i.operands[3], negated);
    op.flag |= negated ? 32 : 0;
  }
  s64 v = 1;
  if (i.operands.size() > 4 && d.immediate(i.operands[4], v))
    op.flag |= v == -1 ? 4 : 0;
  if (i.operands.size() > 5 && d.immediate(i.operands[5], v))
    op.flag |= v == -1 ? 8 : 0;
  size_t at = 6;
  if (!registers && i.operands.size() > at && d.immediate(i.operands[at++], v))
    op.flag |= v ? 1 : 0;
  if (i.operands.size() > at && d.immediate(i.operands[at], v))
    op.flag |= v ? 2 : 0;
  if ((op.flag & 3) && !halves)
    return d.refuse("only 16-bit operands can be transposed");
  if (i.has("satfinite"))
    op.flag |= 16;
  return d.ok();
}
} // namespace

void addWgmmaOps(OpTable &table) {
  table["wgmma.mma_async"] = wgmma;
  table["wgmma.fence"] = sync<runWgmmaFence>;
  table["wgmma.commit_group"] = sync<runWgmmaCommit>;
  table["wgmma.wait_group"] = sync<runWgmmaWait>;
}

} // namespace tessera::vgpu
