// wmma (ISA 9.7.14.4). Which lane holds which element is not specified, so the order here is our own: slot s of lane l
// holds element 32 s + l of the matrix, row by row; fragments with more slots than elements hold copies.
#include "runtime/vgpu/exec/access.h"
#include "runtime/vgpu/exec/element.h"
#include "runtime/vgpu/exec/families.h"
#include "runtime/vgpu/exec/tensor_sum.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {
using ptx::Instruction;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

struct Shape {
  u32 m = 0, n = 0, k = 0;
};
Shape shapeOf(const Instruction &i) {
  constexpr struct {
    std::string_view name;
    Shape shape;
  } rows[] = {{"m16n16k16", {16, 16, 16}}, {"m32n8k16", {32, 8, 16}}, {"m8n32k16", {8, 32, 16}},
              {"m16n16k8", {16, 16, 8}},   {"m8n8k4", {8, 8, 4}},     {"m8n8k32", {8, 8, 32}},
              {"m8n8k128", {8, 8, 128}}};
  for (const auto &row : rows)
    if (i.has(row.name))
      return row.shape;
  return {};
}

bool registersOf(Decoder &d, const Operand &o, bool write, Type type, Op &op, u32 &count) {
  count = o.kind == Operand::Kind::vector ? u32(o.elements.size()) : 1;
  for (u32 k = 0; k < count; ++k) {
    const Operand &e = o.kind == Operand::Kind::vector ? o.elements[k] : o;
    op.more.push_back(write ? d.out(e, type) : d.in(e, type));
  }
  return d.ok();
}

u32 bitsIn(Type t) { return t == Type::tf32 ? 32 : info(t).bits; }

// Elements of a fragment whose registers are `planes`, as 64-bit patterns.
void unpack(const Warp &w, const u32 *planes, u32 bits, u32 elements, u64 *out) {
  u32 each = bits >= 32 ? 1 : 32 / bits;
  for (u32 e = 0; e < elements; ++e) {
    u32 slot = e / 32, l = e % 32;
    out[e] = bits == 64 ? w.in<u64>(planes[slot])[l] : elementOf(w.in<u32>(planes[slot / each])[l], slot % each, bits);
  }
}
void pack(const Warp &w, const u32 *planes, u32 registers, u32 bits, u32 elements, const u64 *in) {
  u32 each = bits >= 32 ? 1 : 32 / bits;
  for (u32 r = 0; r < registers; ++r) {
    alignas(64) u64 wide[lanes];
    alignas(64) u32 narrow[lanes];
    for (u32 l = 0; l < lanes; ++l) {
      u64 word = 0;
      for (u32 i = 0; i < each; ++i)
        word |= in[((r * each + i) * 32 + l) % elements] << (i * bits);
      wide[l] = word;
      narrow[l] = u32(word);
    }
    if (bits == 64)
      w.put(planes[r], wide);
    else
      w.put(planes[r], narrow);
  }
}

// Elements of 4 bits and of one: eight lines of 16 bytes, along k. op.count: bits; the rest as below.
void runSmallLoad(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  u32 rows = op.y & 255, columns = op.y >> 8 & 255, bits = op.count, length = std::max(rows, columns);
  bool columnMajor = op.y >> 16 & 1;
  u32 stride = w.in<u32>(op.b)[std::countr_zero(w.mask)];
  Access x;
  gatherAddresses(w, op, x);
  u64 start = x.address[std::countr_zero(w.mask)], values[1024];
  x.mask = allLanes;
  for (u32 l = 0; l < lanes; ++l)
    x.address[l] = start + u64(l / 4) * stride * bits / 8 + l % 4 * 4;
  Op word;
  word.bytes = 4;
  if (!resolve(w, word, Space(op.x), x))
    return;
  for (u32 l = 0; l < lanes; ++l) {
    u32 data;
    std::memcpy(&data, x.at[l], 4);
    for (u32 e = 0; e < 32 / bits; ++e) {
      u32 line = l / 4, k = l % 4 * (32 / bits) + e;
      values[columnMajor ? k * columns + line : line * length + k] = elementOf(data, e, bits);
    }
  }
  pack(w, op.more.data(), u32(op.more.size()), bits, rows * columns, values);
}

// op.y: rows | columns << 8 | column-major << 16; op.b: stride plane; op.bytes: of an element.
template <bool load> void runTransfer(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  u32 rows = op.y & 255, columns = op.y >> 8 & 255, elements = rows * columns;
  bool columnMajor = op.y >> 16 & 1;
  u64 values[512];
  u32 bits = op.bytes * 8u, stride = w.in<u32>(op.b)[std::countr_zero(w.mask)];
  if (!load)
    unpack(w, op.more.data(), bits, elements, values);
  Access base;
  gatherAddresses(w, op, base);
  u64 start = base.address[std::countr_zero(w.mask)];
  // Go through the elements in the order of memory, as the hardware's wide accesses would.
  for (u32 first = 0; first < elements; first += 32) {
    Access x;
    x.mask = elements - first >= 32 ? allLanes : (1u << (elements - first)) - 1;
    x.bytes = op.bytes;
    x.write = !load;
    x.read = load;
    u32 which[lanes];
    for (u32 l = 0; l < lanes && first + l < elements; ++l) {
      u32 minor = columnMajor ? rows : columns, a = (first + l) / minor, b = (first + l) % minor;
      which[l] = columnMajor ? b * columns + a : a * columns + b;
      x.address[l] = start + (u64(a) * stride + b) * op.bytes;
    }
    Op element;
    element.bytes = op.bytes;
    if (!resolve(w, element, Space(op.x), x))
      return;
    for (u32 l = 0; l < lanes && first + l < elements; ++l) {
      if (load) {
        values[which[l]] = 0;
        std::memcpy(&values[which[l]], x.at[l], op.bytes);
      } else {
        std::memcpy(x.at[l], &values[which[l]], op.bytes);
      }
    }
  }
  if (load)
    pack(w, op.more.data(), u32(op.more.size()), bits, elements, values);
}

// op.x: m | n << 8 | k << 16; op.y: registers of D, A, B; types in op.a (D), op.b (A), op.c (B), op.flag2 (C).
void runMultiply(Warp &w, const Op &op) {
  if (!w.converge(w.alive()))
    return;
  u32 m = op.x & 255, n = op.x >> 8 & 255, k = op.x >> 16;
  u32 nd = op.y & 255, na = op.y >> 8 & 255, nb = op.y >> 16;
  auto td = Type(op.a), ta = Type(op.b), tb = Type(op.c), tc = Type(op.flag2);
  const u32 *d = op.more.data(), *a = d + nd, *b = a + na, *c = b + nb;
  u64 A[1024], B[1024], C[256];
  unpack(w, a, bitsIn(ta), m * k, A);
  unpack(w, b, bitsIn(tb), k * n, B);
  unpack(w, c, bitsIn(tc), m * n, C);
  if (ta == Type::f64) {
    for (u32 r = 0; r < m; ++r)
      for (u32 col = 0; col < n; ++col) {
        auto acc = std::bit_cast<double>(C[r * n + col]);
        for (u32 i = 0; i < k; ++i)
          acc = std::fma(std::bit_cast<double>(A[r * k + i]), std::bit_cast<double>(B[i * n + col]), acc);
        C[r * n + col] = std::bit_cast<u64>(acc);
      }
  } else if (isIntegerElement(ta)) {
    for (u32 r = 0; r < m; ++r)
      for (u32 col = 0; col < n; ++col) {
        s64 acc = s32(C[r * n + col]);
        for (u32 i = 0; i < k; ++i)
          if (op.count == 4 || op.count == 5)
            acc += op.count == 4 ? A[r * k + i] ^ B[i * n + col] : A[r * k + i] & B[i * n + col];
          else
            acc += s64(elementAsInteger(u32(A[r * k + i]), ta)) * elementAsInteger(u32(B[i * n + col]), tb);
        C[r * n + col] = u32(op.flag ? std::clamp<s64>(acc, INT32_MIN, INT32_MAX) : acc);
      }
  } else {
    float x[512], y[512], acc[256];
    for (u32 e = 0; e < m * k; ++e)
      x[e] = elementAsFloat(u32(A[e]), ta);
    for (u32 e = 0; e < k * n; ++e)
      y[e] = elementAsFloat(u32(B[e]), tb);
    for (u32 e = 0; e < m * n; ++e)
      acc[e] = tc == Type::f16 ? fromF16(u16(C[e])) : std::bit_cast<float>(u32(C[e]));
    const TensorModel model = w.launch->options.tensorModel;
    for (u32 e = 0; model != TensorModel::ieeeFma && e < m * n; ++e)
      acc[e] = tensorSum(model, acc[e], x + e / n * k, y + e % n, n, k);
    for (u32 r = 0; model == TensorModel::ieeeFma && r < m; ++r)
      for (u32 i = 0; i < k; ++i)
        for (u32 col = 0; col < n; ++col)
          acc[r * n + col] = std::fma(x[r * k + i], y[i * n + col], acc[r * n + col]);
    for (u32 e = 0; e < m * n; ++e)
      C[e] = td == Type::f16 ? toF16(acc[e]) : std::bit_cast<u32>(canonical(acc[e]));
  }
  pack(w, d, nd, bitsIn(td), m * n, C);
}

template <char which> bool transfer(Decoder &d, const Instruction &i, Op &op) {
  constexpr bool load = which != 'd';
  Shape s = shapeOf(i);
  Type t = i.type();
  bool small = bitsIn(t) < 8;
  if (!s.m || i.types.size() != 1 || (small && (!load || s.k < 32 || i.has(which == 'a' ? "col" : "row"))))
    return false;
  u32 rows = which == 'b' ? s.k : s.m, columns = which == 'a' ? s.k : s.n;
  Decoder::Address at = d.address(i.operands[load ? 1 : 0], i.space());
  op.a = at.plane;
  op.flag = at.wide;
  op.imm = at.offset;
  op.x = u32(at.space);
  op.y = rows | columns << 8 | u32(i.has("col")) << 16;
  op.bytes = u8(bitsIn(t) / 8);
  op.count = u8(bitsIn(t));
  op.pipe = at.space == Space::shared ? Pipe::shared : Pipe::global;
  op.b = i.operands.size() > 2 ? d.in(i.operands[2], Type::u32) : d.constant(i.has("col") ? rows : columns, false);
  u32 count = 0;
  Type word = bitsIn(t) == 64 ? Type::f64 : Type::b32;
  op.run = small ? runSmallLoad : runTransfer<load>;
  if (!registersOf(d, i.operands[load ? 0 : 1], load, word, op, count))
    return false;
  u32 slots = count * (bitsIn(t) >= 32 ? 1 : 32 / bitsIn(t));
  return slots * 32 >= rows * columns || d.refuse("too few registers for the fragment");
}

bool multiply(Decoder &d, const Instruction &i, Op &op) {
  Shape s = shapeOf(i);
  if (!s.m || (i.types.size() != 2 && i.types.size() != 4))
    return false;
  bool halves = i.types.size() == 2; // f16 inputs are not named
  Type td = i.types[0], ta = halves ? Type::f16 : i.types[1], tb = halves ? Type::f16 : i.types[2], tc = i.types.back();
  if (ta == Type::b1)
    op.count = i.has("xor") ? 4 : 5;
  if ((ta == Type::b1) != i.has("popc") || (s.k == 128) != (ta == Type::b1) || (s.k == 32) != (bitsIn(ta) == 4))
    return d.refuse("this shape and these types do not go together");
  u32 arch = bitsIn(ta) < 8                                            ? 75
             : ta == Type::bf16 || ta == Type::tf32 || ta == Type::f64 ? 80
             : isIntegerElement(ta)                                    ? 72
                                                                       : 70;
  if (d.arch < arch)
    return d.refuse("this form needs sm_" + std::to_string(arch));
  op.pipe = Pipe::tensor;
  op.imm = s64(s.m) * s.n * s.k * 2;
  op.bytes = u8(bitsIn(ta)); // of an element: the tensor pipe's rate goes by it
  op.x = s.m | s.n << 8 | s.k << 16;
  op.a = u32(td), op.b = u32(ta), op.c = u32(tb), op.flag2 = u8(tc);
  op.flag = i.has("satfinite");
  op.run = runMultiply;
  bool wide = ta == Type::f64;
  Type word = wide ? Type::f64 : Type::b32;
  u32 n[4];
  if (!registersOf(d, i.operands[0], true, word, op, n[0]) || !registersOf(d, i.operands[1], false, word, op, n[1]) ||
      !registersOf(d, i.operands[2], false, word, op, n[2]) || !registersOf(d, i.operands[3], false, word, op, n[3]))
    return false;
  auto enough = [](u32 count, u32 bits, u32 elements) { return count * (bits >= 32 ? 1 : 32 / bits) * 32 >= elements; };
  op.y = n[0] | n[1] << 8 | n[2] << 16;
  return (enough(n[0], bitsIn(td), s.m * s.n) && enough(n[1], bitsIn(ta), s.m * s.k) &&
          enough(n[2], bitsIn(tb), s.k * s.n) && enough(n[3], bitsIn(tc), s.m * s.n)) ||
         d.refuse("too few registers for a fragment");
}
} // namespace

void addWmmaOps(OpTable &table) {
  table["wmma.load.a"] = transfer<'a'>;
  table["wmma.load.b"] = transfer<'b'>;
  table["wmma.load.c"] = transfer<'c'>;
  table["wmma.store.d"] = transfer<'d'>;
  table["wmma.mma"] = multiply;
}

} // namespace tessera::vgpu
