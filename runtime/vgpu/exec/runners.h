// Operations out of functors: one, two or three operands of one type.
#pragma once
#include "runtime/vgpu/exec/families.h"
#include "runtime/vgpu/exec/ops.h"

namespace tessera::vgpu {

template <class T, class F> struct Unary {
  static void run(Warp &w, const Op &op) {
    map1<T, T>(w, op, [](T a) { return F::template f<T>(a); });
  }
};
template <class T, class F> struct Binary {
  static void run(Warp &w, const Op &op) {
    map2<T, T, T>(w, op, [](T a, T b) { return F::template f<T>(a, b); });
  }
};
template <class T, class F> struct Ternary {
  static void run(Warp &w, const Op &op) {
    map3<T, T, T, T>(w, op, [](T a, T b, T c) { return F::template f<T>(a, b, c); });
  }
};

// Operands d, a, b, c of one type each.
inline bool operands(Decoder &d, const ptx::Instruction &i, Op &op, ptx::Type out, ptx::Type in) {
  size_t n = i.operands.size();
  if (n > 1)
    op.a = d.in(i.operands[1], in);
  if (n > 2)
    op.b = d.in(i.operands[2], in);
  if (n > 3)
    op.c = d.in(i.operands[3], in);
  op.d = d.out(i.operands[0], out);
  return d.ok() && op.run;
}

} // namespace tessera::vgpu
