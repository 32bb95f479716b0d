// The table of PTX forms: each row is an instruction as compilers write it, the chip it needs, and what it computes,
// as a host function of its operands. One kernel a row, 256 threads with edge cases and random operands.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace forms {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s8 = int8_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;

// 16-bit floating-point operands and pairs of them, as bits.
struct f16 {
  u16 bits;
};
struct bf16 {
  u16 bits;
};
struct f16x2 {
  u32 bits;
};
struct bf16x2 {
  u32 bits;
};
// A 32-bit operand that is mostly small: shift amounts, positions, lengths.
struct small {
  u32 value;
};

enum class Kind : u8 { pred, bits16, bits32, bits64, half, brain, half2, brain2, single, real, little };

template <class T> constexpr Kind kindOf() {
  if constexpr (std::is_same_v<T, bool>)
    return Kind::pred;
  else if constexpr (std::is_same_v<T, f16>)
    return Kind::half;
  else if constexpr (std::is_same_v<T, bf16>)
    return Kind::brain;
  else if constexpr (std::is_same_v<T, f16x2>)
    return Kind::half2;
  else if constexpr (std::is_same_v<T, bf16x2>)
    return Kind::brain2;
  else if constexpr (std::is_same_v<T, small>)
    return Kind::little;
  else if constexpr (std::is_same_v<T, float>)
    return Kind::single;
  else if constexpr (std::is_same_v<T, double>)
    return Kind::real;
  else
    return sizeof(T) == 2 ? Kind::bits16 : sizeof(T) == 4 ? Kind::bits32 : Kind::bits64;
}

template <class T> T fromCell(u64 cell) {
  if constexpr (std::is_same_v<T, bool>)
    return cell != 0;
  else {
    T value;
    std::memcpy(&value, &cell, sizeof(T));
    return value;
  }
}
template <class T> u64 toCell(T value) {
  u64 cell = 0;
  if constexpr (std::is_same_v<T, bool>)
    return value;
  std::memcpy(&cell, &value, sizeof(T));
  return cell;
}

struct Row {
  std::string form; // $d is the result, $a $b $c $e the operands; may be several instructions
  int arch = 75;    // compute capability times ten
  Kind result = Kind::bits32;
  std::vector<Kind> operands;
  std::function<u64(const u64 *)> expected;
  double tolerance = 0; // relative, for approximations; 0: every bit (any NaN for a NaN)
};

using Table = std::vector<Row>;

template <class Signature> struct Adder;
template <class R, class... Args> struct Adder<R(Args...)> {
  template <class F> static void add(Table &table, std::string form, F f, int arch, double tolerance) {
    Row row{std::move(form), arch, kindOf<R>(), {kindOf<Args>()...}, {}, tolerance};
    row.expected = [f](const u64 *in) { return call(f, in, std::index_sequence_for<Args...>{}); };
    table.push_back(std::move(row));
  }
  template <class F, size_t... i> static u64 call(const F &f, const u64 *in, std::index_sequence<i...>) {
    (void)in;
    return toCell<R>(R(f(fromCell<Args>(in[i])...)));
  }
};

// row<u32(u32, u32)>(table, "add.u32 $d, $a, $b;", [](u32 a, u32 b) { return a + b; });
template <class Signature, class F> void row(Table &table, std::string form, F f, int arch = 75, double tolerance = 0) {
  Adder<Signature>::add(table, std::move(form), std::move(f), arch, tolerance);
}

// Formats, rounded once from a double (or by the host's own conversion).
inline double number(f16 x) { return double(std::bit_cast<_Float16>(x.bits)); }
inline double number(bf16 x) { return std::bit_cast<float>(u32(x.bits) << 16); }
inline f16 half(double v) { return {v != v ? u16(0x7fff) : std::bit_cast<u16>(_Float16(v))}; }
inline bf16 brain(double v) {
  if (v != v)
    return {0x7fff};
  // Round to 8 significant bits, ties to even; subnormals have their own quantum.
  int e = 0;
  std::frexp(v, &e);
  double quantum = std::ldexp(1.0, std::max(e - 8, -133));
  double r = std::isinf(v) || v == 0 ? v : std::nearbyint(v / quantum) * quantum;
  return {u16(std::bit_cast<u32>(float(r)) >> 16)}; // beyond the range float() gives infinity
}
inline f16 low(f16x2 x) { return {u16(x.bits)}; }
inline f16 high(f16x2 x) { return {u16(x.bits >> 16)}; }
inline bf16 low(bf16x2 x) { return {u16(x.bits)}; }
inline bf16 high(bf16x2 x) { return {u16(x.bits >> 16)}; }
inline f16x2 pack(f16 lo, f16 hi) { return {lo.bits | u32(hi.bits) << 16}; }
inline bf16x2 pack(bf16 lo, bf16 hi) { return {lo.bits | u32(hi.bits) << 16}; }
inline float flushed(float v) { return std::fabs(v) < 0x1p-126f ? std::copysign(0.0f, v) : v; }
inline float saturated(float v) { return v > 0 ? std::min(v, 1.0f) : 0.0f; }

// The rows, by part of the ISA.
void integerRows(Table &table);
void logicRows(Table &table);
void floatRows(Table &table);
void halfRows(Table &table);
void compareRows(Table &table);
void moveRows(Table &table);
void convertRows(Table &table);
void memoryRows(Table &table);
void warpRows(Table &table);
const Table &allRows();

// A form whose values are checked elsewhere (matrices, asynchronous copies, barriers): here that it loads on the chips
// that have it and is refused on the others. `test` names the test that holds its vectors.
struct Listed {
  const char *form;
  int arch;
  const char *test;
};
const std::vector<Listed> &listedForms();

// What is refused on every chip, and a piece of the sentence that says why.
struct Refused {
  const char *form, *why;
};
const std::vector<Refused> &refusedForms();

// A module with one kernel "k" for a chip: with these instructions and a set of registers to use in them.
std::string moduleFor(const std::string &instructions, int arch);
std::string moduleFor(const Row &row, int arch);

} // namespace forms
