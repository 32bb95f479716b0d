// mma.sync (ISA 9.7.14.5). With E elements in a register, g = lane / 4, t = lane % 4, the fragments of all m16n8 and
// m8n8 shapes follow one rule: A register j holds row g + 8 (j & 1), columns 4E (j >> 1) + E t + i; B register j holds
// rows 4E j + E t + i of column g; C register i holds row g + 8 (i >> 1), column 2t + (i & 1).
// Accumulation is f32 with one rounding a product, in the order of k, unless another reading is chosen (tensor_sum.h).
#include "runtime/vgpu/exec/element.h"
#include "runtime/vgpu/exec/families.h"
#include "runtime/vgpu/exec/ops.h"
#include "runtime/vgpu/exec/tensor_sum.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Type;

// One decoded form; planes follow each other in op.more: D, A, B, C.
struct Form {
  u32 m, k, registersD, registersA, registersB, registersC;
};

Form formOf(const Op &op) { return {op.x & 255, op.x >> 8, op.y & 255, op.y >> 8 & 255, op.y >> 16 & 255, op.y >> 24}; }

void loadC(const Warp &w, const u32 *planes, bool half, u32 m, float (&c)[16][8]) {
  for (u32 l = 0; l < lanes; ++l)
    for (u32 i = 0; i < m / 4; ++i) {
      u32 row = l / 4 + 8 * (i >> 1), col = 2 * (l % 4) + (i & 1);
      c[row][col] = half ? fromF16(u16(w.in<u32>(planes[i >> 1])[l] >> 16 * (i & 1))) : w.in<float>(planes[i])[l];
    }
}

void storeD(const Warp &w, const u32 *planes, bool half, u32 m, const float (&c)[16][8]) {
  for (u32 i = 0; i < m / 4; i += half ? 2 : 1) {
    alignas(64) u32 t[lanes];
    for (u32 l = 0; l < lanes; ++l) {
      u32 row = l / 4 + 8 * (i >> 1), col = 2 * (l % 4) + (i & 1);
      t[l] = half ? toF16(c[row][col]) | u32(toF16(c[row][col + 1])) << 16 : std::bit_cast<u32>(canonical(c[row][col]));
    }
    w.put(planes[half ? i >> 1 : i], t);
  }
}

void multiply(TensorModel model, const float *a, const float (*b)[8], float (&c)[16][8], u32 m, u32 k) {
  if (model != TensorModel::ieeeFma) {
    for (u32 r = 0; r < m; ++r)
      for (u32 n = 0; n < 8; ++n)
        c[r][n] = tensorSum(model, c[r][n], a + r * k, &b[0][n], 8, k);
    return;
  }
  // Four rows at a time: their chains of multiply-adds overlap.
  for (u32 r = 0; r < m; r += 4) {
    float acc[4][8];
    std::memcpy(acc, c[r], sizeof acc);
    for (u32 i = 0; i < k; ++i)
      for (u32 q = 0; q < 4; ++q)
        for (u32 n = 0; n < 8; ++n)
          acc[q][n] = std::fma(a[(r + q) * k + i], b[i][n], acc[q][n]);
    std::memcpy(c[r], acc, sizeof acc);
  }
}

// What the bits of an element are: numbers to multiply.
struct F16 {
  using Bits = u16;
  static float number(u16 bits) { return fromF16(bits); }
};
struct Bf16 {
  using Bits = u16;
  static float number(u16 bits) { return fromBf16(bits); }
};
struct Tf32 {
  using Bits = u32;
  static float number(u32 bits) { return elementAsFloat(bits, Type::tf32); }
};
template <bool e5m2> struct Fp8 {
  using Bits = u8;
  static float number(u8 bits) { return fp8Table(e5m2)[bits]; }
};
struct S8 {
  using Bits = u8;
  static s16 number(u8 bits) { return s8(bits); }
};
struct U8 {
  using Bits = u8;
  static s16 number(u8 bits) { return bits; }
};

// A register's elements of all lanes are a tile of 8 rows (of B's transpose: columns), row by row.
template <class Element> constexpr u32 tileColumns = 16 / sizeof(typename Element::Bits);
template <class Element, class Number> void loadTile(const Warp &w, u32 plane, Number *tile) {
  const auto *bits = reinterpret_cast<const typename Element::Bits *>(w.in<u32>(plane));
  for (u32 e = 0; e < 8 * tileColumns<Element>; ++e)
    tile[e] = Element::number(bits[e]);
}

// Two f32 accumulator registers of a row half interleave to one: element 2 l + i of the tile is lane l of register i.
template <class A, class B, u32 K> void runFloats(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  constexpr u32 columns = tileColumns<A>;
  Form f = formOf(op);
  const u32 *d = op.more.data(), *a = d + f.registersD, *b = a + f.registersA, *c = b + f.registersB;
  alignas(64) float tile[8 * columns], left[16 * K], right[K][8], acc[16][8];
  float *flat = &acc[0][0];
  for (u32 j = 0; j < 2 * K / columns; ++j) {
    loadTile<A>(w, a[j], tile);
    for (u32 r = 0; r < 8; ++r)
      std::memcpy(&left[(r + 8 * (j & 1)) * K + columns * (j >> 1)], &tile[columns * r], columns * sizeof(float));
  }
  for (u32 j = 0; j < K / columns; ++j) {
    loadTile<B>(w, b[j], tile);
    for (u32 n = 0; n < 8; ++n)
      for (u32 k = 0; k < columns; ++k)
        right[columns * j + k][n] = tile[columns * n + k];
  }
  if (op.flag & 2)
    loadC(w, c, true, 16, acc);
  else
    for (u32 h = 0; h < 2; ++h) {
      const auto *even = w.in<float>(c[2 * h]), *odd = w.in<float>(c[2 * h + 1]);
      for (u32 l = 0; l < lanes; ++l)
        flat[64 * h + 2 * l] = even[l], flat[64 * h + 2 * l + 1] = odd[l];
    }
  multiply(w.launch->options.tensorModel, left, right, acc, 16, K);
  if (op.flag & 1)
    return storeD(w, d, true, 16, acc);
  for (u32 h = 0; h < 2; ++h) {
    alignas(64) float even[lanes], odd[lanes];
    for (u32 l = 0; l < lanes; ++l)
      even[l] = canonical(flat[64 * h + 2 * l]), odd[l] = canonical(flat[64 * h + 2 * l + 1]);
    w.put(d[2 * h], reinterpret_cast<const u32 *>(even));
    w.put(d[2 * h + 1], reinterpret_cast<const u32 *>(odd));
  }
}

void runDoubles(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  Form f = formOf(op);
  const u32 *d = op.more.data(), *a = d + f.registersD, *b = a + f.registersA, *c = b + f.registersB;
  double left[16][16], right[16][8], acc[16][8];
  for (u32 l = 0; l < lanes; ++l) {
    u32 g = l / 4, t = l % 4;
    u32 halves = f.m / 8; // rows come in eights
    for (u32 j = 0; j < f.registersA; ++j)
      left[g + 8 * (j % halves)][t + 4 * (j / halves)] = w.in<double>(a[j])[l];
    for (u32 j = 0; j < f.registersB; ++j)
      right[t + 4 * j][g] = w.in<double>(b[j])[l];
    for (u32 i = 0; i < f.registersC; ++i)
      acc[g + 8 * (i >> 1)][2 * t + (i & 1)] = w.in<double>(c[i])[l];
  }
  for (u32 r = 0; r < f.m; ++r)
    for (u32 k = 0; k < f.k; ++k)
      for (u32 n = 0; n < 8; ++n)
        acc[r][n] = std::fma(left[r][k], right[k][n], acc[r][n]);
  for (u32 i = 0; i < f.registersD; ++i) {
    alignas(64) u64 t[lanes];
    for (u32 l = 0; l < lanes; ++l)
      t[l] = std::bit_cast<u64>(acc[l / 4 + 8 * (i >> 1)][2 * (l % 4) + (i & 1)]);
    w.put(d[i], t);
  }
}

// What a sum of products adds to C: op.flag: 1 saturate.
void storeSums(Warp &w, const Op &op, const u32 *d, const u32 *c, u32 m, const s32 (&sums)[16][8]) {
  for (u32 i = 0; i < m / 4; ++i) {
    alignas(64) u32 t[lanes];
    for (u32 l = 0; l < lanes; ++l) {
      s64 all = s64(w.in<s32>(c[i])[l]) + sums[l / 4 + 8 * (i >> 1)][2 * (l % 4) + (i & 1)];
      t[l] = u32(op.flag & 1 ? std::clamp<s64>(all, INT32_MIN, INT32_MAX) : all);
    }
    w.put(d[i], t);
  }
}

template <class A, class B, u32 K> void runBytes(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  constexpr u32 columns = tileColumns<A>;
  Form f = formOf(op);
  const u32 *d = op.more.data(), *a = d + f.registersD, *b = a + f.registersA, *c = b + f.registersB, halves = f.m / 8;
  alignas(64) s16 tile[8 * columns], left[16][K], right[8][K];
  for (u32 j = 0; j < f.registersA; ++j) {
    loadTile<A>(w, a[j], tile);
    for (u32 r = 0; r < 8; ++r)
      std::memcpy(&left[r + 8 * (j % halves)][columns * (j / halves)], &tile[columns * r], columns * sizeof(s16));
  }
  for (u32 j = 0; j < f.registersB; ++j) {
    loadTile<B>(w, b[j], tile);
    for (u32 n = 0; n < 8; ++n)
      std::memcpy(&right[n][columns * j], &tile[columns * n], columns * sizeof(s16));
  }
  s32 sums[16][8];
  for (u32 r = 0; r < f.m; ++r)
    for (u32 n = 0; n < 8; ++n) {
      s32 sum = 0;
      for (u32 k = 0; k < K; ++k)
        sum += s32(left[r][k]) * right[n][k];
      sums[r][n] = sum;
    }
  storeSums(w, op, d, c, f.m, sums);
}

// Integers of 4 and 1 bits. op.a, op.b: element types; op.bytes: bits of one; op.flag2: 1 xor.popc, 2 and.popc.
void runBits(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  Form f = formOf(op);
  const u32 *d = op.more.data(), *a = d + f.registersD, *b = a + f.registersA, *c = b + f.registersB;
  s32 left[16][256], right[8][256], sums[16][8];
  u32 bits = op.bytes, each = 32 / bits, halves = f.m / 8;
  for (u32 l = 0; l < lanes; ++l) {
    u32 g = l / 4, t = l % 4;
    for (u32 j = 0; j < f.registersA; ++j)
      for (u32 i = 0; i < each; ++i)
        left[g + 8 * (j % halves)][4 * each * (j / halves) + each * t + i] =
            elementAsInteger(elementOf(w.in<u32>(a[j])[l], i, bits), Type(op.a));
    for (u32 j = 0; j < f.registersB; ++j)
      for (u32 i = 0; i < each; ++i)
        right[g][4 * each * j + each * t + i] = elementAsInteger(elementOf(w.in<u32>(b[j])[l], i, bits), Type(op.b));
  }
  for (u32 r = 0; r < f.m; ++r)
    for (u32 n = 0; n < 8; ++n) {
      s32 sum = 0;
      for (u32 k = 0; k < f.k; ++k)
        sum += op.flag2 == 1   ? left[r][k] ^ right[n][k]
               : op.flag2 == 2 ? left[r][k] & right[n][k]
                               : left[r][k] * right[n][k];
      sums[r][n] = sum;
    }
  storeSums(w, op, d, c, f.m, sums);
}

// m8n8k4 of f16: four products at once, each by four lanes of the lower half of the warp and the four 16 above.
// op.flag: 1 D is f16, 2 C is f16, 4 A is column-major, 8 B is row-major.
void runVolta(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  Form f = formOf(op);
  const u32 *d = op.more.data(), *a = d + f.registersD, *b = a + f.registersA, *c = b + f.registersB;
  float left[4][8][4], right[4][4][8], acc[4][8][8];
  bool halfD = op.flag & 1, halfC = op.flag & 2;
  // Row and column of the i-th element of a lane's accumulator.
  auto place = [](bool half, u32 l, u32 i) {
    u32 row = half ? l % 4 : (l & 1) + (i & 2), col = half ? i : (i & 4) + (l & 2) + (i & 1);
    return std::pair(row + (l < 16 ? 0 : 4), col);
  };
  for (u32 l = 0; l < lanes; ++l) {
    u32 group = l / 4 % 4, four = l < 16 ? 0 : 4;
    for (u32 i = 0; i < 4; ++i) {
      float x = fromF16(u16(w.in<u32>(a[i / 2])[l] >> 16 * (i % 2)));
      float y = fromF16(u16(w.in<u32>(b[i / 2])[l] >> 16 * (i % 2)));
      (op.flag & 4 ? left[group][i + four][l % 4] : left[group][l % 4 + four][i]) = x;
      (op.flag & 8 ? right[group][l % 4][i + four] : right[group][i][l % 4 + four]) = y;
    }
    for (u32 i = 0; i < 8; ++i) {
      auto [row, col] = place(halfC, l, i);
      acc[group][row][col] = halfC ? fromF16(u16(w.in<u32>(c[i / 2])[l] >> 16 * (i % 2))) : w.in<float>(c[i])[l];
    }
  }
  for (u32 group = 0; group < 4; ++group)
    for (u32 r = 0; r < 8; ++r)
      for (u32 n = 0; n < 8; ++n)
        acc[group][r][n] =
            tensorSum(w.launch->options.tensorModel, acc[group][r][n], left[group][r], &right[group][0][n], 8, 4);
  for (u32 j = 0; j < f.registersD; ++j) {
    alignas(64) u32 t[lanes] = {};
    for (u32 l = 0; l < lanes; ++l)
      for (u32 h = 0; h < (halfD ? 2 : 1); ++h) {
        auto [row, col] = place(halfD, l, halfD ? 2 * j + h : j);
        float v = acc[l / 4 % 4][row][col];
        t[l] |= halfD ? u32(toF16(v)) << 16 * h : std::bit_cast<u32>(canonical(v));
      }
    w.put(d[j], t);
  }
}

// Which element types a shape takes, and from which chip on.
struct Row {
  std::string_view shape;
  u32 m, k, bits;
  char kind; // h halves, t tf32, q 8-bit floating point, d f64, i integers
  u32 arch;
};
constexpr Row rows[] = {
    {"m16n8k8", 16, 8, 16, 'h', 75},    {"m16n8k16", 16, 16, 16, 'h', 80}, {"m16n8k4", 16, 4, 32, 't', 80},
    {"m16n8k8", 16, 8, 32, 't', 80},    {"m16n8k16", 16, 16, 8, 'q', 89},  {"m16n8k32", 16, 32, 8, 'q', 89},
    {"m8n8k4", 8, 4, 64, 'd', 80},      {"m16n8k4", 16, 4, 64, 'd', 90},   {"m16n8k8", 16, 8, 64, 'd', 90},
    {"m16n8k16", 16, 16, 64, 'd', 90},  {"m8n8k16", 8, 16, 8, 'i', 75},    {"m16n8k16", 16, 16, 8, 'i', 80},
    {"m16n8k32", 16, 32, 8, 'i', 80},   {"m8n8k32", 8, 32, 4, 'i', 75},    {"m16n8k32", 16, 32, 4, 'i', 80},
    {"m16n8k64", 16, 64, 4, 'i', 80},   {"m8n8k128", 8, 128, 1, 'i', 75},  {"m16n8k128", 16, 128, 1, 'i', 80},
    {"m16n8k256", 16, 256, 1, 'i', 80},
};

char kindOf(Type t) {
  if (t == Type::f16 || t == Type::bf16)
    return 'h';
  if (t == Type::tf32)
    return 't';
  if (t == Type::e4m3 || t == Type::e5m2)
    return 'q';
  if (t == Type::f64)
    return 'd';
  return isIntegerElement(t) ? 'i' : 0;
}

template <class A, class B> auto floatsOf(u32 k) {
  constexpr u32 least = tileColumns<A>; // a shape is one such step of k, or two
  return k == least ? runFloats<A, B, least> : runFloats<A, B, 2 * least>;
}
template <class A, class B> auto bytesOf(u32 k) { return k == 16 ? runBytes<A, B, 16> : runBytes<A, B, 32>; }

void (*runOf(Type a, Type b, u32 k))(Warp &, const Op &) {
  switch (a) {
  case Type::f16:
    return floatsOf<F16, F16>(k);
  case Type::bf16:
    return floatsOf<Bf16, Bf16>(k);
  case Type::tf32:
    return floatsOf<Tf32, Tf32>(k);
  case Type::e4m3:
    return b == Type::e4m3 ? floatsOf<Fp8<false>, Fp8<false>>(k) : floatsOf<Fp8<false>, Fp8<true>>(k);
  case Type::e5m2:
    return b == Type::e4m3 ? floatsOf<Fp8<true>, Fp8<false>>(k) : floatsOf<Fp8<true>, Fp8<true>>(k);
  case Type::s8:
    return b == Type::s8 ? bytesOf<S8, S8>(k) : bytesOf<S8, U8>(k);
  case Type::u8:
    return b == Type::s8 ? bytesOf<U8, S8>(k) : bytesOf<U8, U8>(k);
  case Type::f64:
    return runDoubles;
  default:
    return runBits;
  }
}

bool planes(Decoder &d, const Operand &o, u32 count, Type type, bool write, Op &op) {
  size_t n = o.kind == Operand::Kind::vector ? o.elements.size() : 1;
  if (n != count)
    return d.refuse("expected " + std::to_string(count) + " registers, found " + std::to_string(n));
  for (u32 k = 0; k < count; ++k) {
    const Operand &e = o.kind == Operand::Kind::vector ? o.elements[k] : o;
    op.more.push_back(write ? d.out(e, type) : d.in(e, type));
  }
  return d.ok();
}

bool volta(Decoder &d, const Instruction &i, Op &op) {
  bool halfD = i.types[0] == Type::f16, halfC = i.types[3] == Type::f16;
  std::vector<std::string_view> layouts;
  for (std::string_view m : i.modifiers)
    if (m == "row" || m == "col")
      layouts.push_back(m);
  if (layouts.size() != 2 || i.types[2] != Type::f16 || (halfD && !halfC) || (!halfD && i.types[0] != Type::f32) ||
      (!halfC && i.types[3] != Type::f32))
    return d.refuse("this shape and these types do not go together");
  op.flag = u8(halfD | halfC << 1 | (layouts[0] == "col") << 2 | (layouts[1] == "row") << 3);
  u32 inD = halfD ? 4 : 8, inC = halfC ? 4 : 8;
  op.x = 8 | 4 << 8;
  op.y = inD | 2 << 8 | 2 << 16 | inC << 24;
  op.pipe = Pipe::tensor;
  op.imm = s64(4) * 8 * 8 * 4 * 2;
  op.bytes = 16;
  op.run = runVolta;
  return planes(d, i.operands[0], inD, Type::b32, true, op) && planes(d, i.operands[1], 2, Type::b32, false, op) &&
         planes(d, i.operands[2], 2, Type::b32, false, op) && planes(d, i.operands[3], inC, Type::b32, false, op);
}

bool mma(Decoder &d, const Instruction &i, Op &op) {
  if (i.types.size() != 4)
    return false;
  Type td = i.types[0], ta = i.types[1], tb = i.types[2], tc = i.types[3];
  if (i.has("m8n8k4") && ta == Type::f16)
    return volta(d, i, op);
  u32 bits = info(ta).bits;
  const Row *row = nullptr;
  for (const Row &r : rows)
    if (i.has(r.shape) && r.bits == bits && r.kind == kindOf(ta))
      row = &r;
  if (!row || kindOf(tb) != row->kind || info(tb).bits != bits || !i.has("row") || !i.has("col") ||
      (row->kind == 'h' && ta != tb))
    return d.refuse("this shape and these types do not go together");
  u32 arch = row->kind == 'h' && ta == Type::bf16 ? 80 : row->arch;
  if (d.arch < arch)
    return d.refuse("this form needs sm_" + std::to_string(arch) + ", the chip is sm_" + std::to_string(d.arch));
  bool halfD = td == Type::f16, halfC = tc == Type::f16;
  bool wide = row->kind == 'd', whole = row->kind == 'i';
  if (wide    ? td != Type::f64 || tc != Type::f64
      : whole ? td != Type::s32 || tc != Type::s32
              : !((td == Type::f32 || halfD) && (tc == Type::f32 || halfC)))
    return d.refuse("the accumulator has the wrong type");
  u32 inA = row->m * row->k * bits / 32 / (wide ? 64 : 32), inB = 8 * row->k * bits / 32 / (wide ? 64 : 32),
      acc = row->m / 4;
  u32 inD = halfD ? acc / 2 : acc, inC = halfC ? acc / 2 : acc;
  op.x = row->m | row->k << 8;
  op.y = inD | inA << 8 | inB << 16 | inC << 24;
  Type word = wide ? Type::f64 : Type::b32;
  if (!planes(d, i.operands[0], inD, wide ? Type::f64 : Type::b32, true, op) ||
      !planes(d, i.operands[1], inA, word, false, op) || !planes(d, i.operands[2], inB, word, false, op) ||
      !planes(d, i.operands[3], inC, word, false, op))
    return false;
  op.pipe = Pipe::tensor;
  op.imm = s64(row->m) * 8 * row->k * 2; // floating-point operations
  op.a = u32(ta);
  op.b = u32(tb);
  op.bytes = u8(bits);
  if (whole) {
    op.flag = i.has("satfinite");
    op.flag2 = bits != 1 ? 0 : i.has("xor") ? 1 : 2;
  } else {
    op.flag = u8(halfD | halfC << 1);
  }
  op.run = runOf(ta, tb, row->k);
  return true;
}
} // namespace

void addMatrixOps(OpTable &table) { table["mma"] = mma; }

} // namespace tessera::vgpu
