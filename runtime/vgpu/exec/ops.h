// Helpers with which the families of operations loop over 32 lanes.
#pragma once
#include "runtime/vgpu/exec/block.h"
#include "runtime/vgpu/exec/warp.h"
#include <bit>
#include <type_traits>

namespace tessera::vgpu {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s8 = int8_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;

// A lane's register holds 4 bytes, or 8 for 64-bit types; narrower values are kept zero-extended.
template <class T> using Cell = std::conditional_t<sizeof(T) == 8, u64, u32>;

template <class T> inline T fromCell(Cell<T> bits) {
  if constexpr (sizeof(T) == 8)
    return std::bit_cast<T>(bits);
  else if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(u32(bits));
  else if constexpr (sizeof(T) == 2)
    return std::bit_cast<T>(u16(bits));
  else
    return std::bit_cast<T>(u8(bits));
}

template <class T> inline Cell<T> toCell(T value) {
  if constexpr (sizeof(T) == 8)
    return std::bit_cast<u64>(value);
  else if constexpr (sizeof(T) == 4)
    return std::bit_cast<u32>(value);
  else if constexpr (sizeof(T) == 2)
    return std::bit_cast<u16>(value);
  else
    return std::bit_cast<u8>(value);
}

// d = f(a) and so on, for every lane; the mask chooses what is kept.
template <class D, class A, class F> inline void map1(Warp &w, const Op &op, F f) {
  const auto *a = w.in<Cell<A>>(op.a);
  alignas(64) Cell<D> t[lanes];
  for (u32 l = 0; l < lanes; ++l)
    t[l] = toCell<D>(f(fromCell<A>(a[l])));
  w.put(op.d, t);
}

template <class D, class A, class B, class F> inline void map2(Warp &w, const Op &op, F f) {
  const auto *a = w.in<Cell<A>>(op.a);
  const auto *b = w.in<Cell<B>>(op.b);
  alignas(64) Cell<D> t[lanes];
  for (u32 l = 0; l < lanes; ++l)
    t[l] = toCell<D>(f(fromCell<A>(a[l]), fromCell<B>(b[l])));
  w.put(op.d, t);
}

template <class D, class A, class B, class C, class F> inline void map3(Warp &w, const Op &op, F f) {
  const auto *a = w.in<Cell<A>>(op.a);
  const auto *b = w.in<Cell<B>>(op.b);
  const auto *c = w.in<Cell<C>>(op.c);
  alignas(64) Cell<D> t[lanes];
  for (u32 l = 0; l < lanes; ++l)
    t[l] = toCell<D>(f(fromCell<A>(a[l]), fromCell<B>(b[l]), fromCell<C>(c[l])));
  w.put(op.d, t);
}

} // namespace tessera::vgpu
