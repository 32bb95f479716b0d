#include "dsl/math.h"
#include "dsl/recorder.h"

namespace tessera::dsl {

static bool isFloat(DType d) { return info(d).isFloat; }
static bool isInteger(DType d) { return d == u8 || d == i8 || d == i32 || d == i64 || d == index; }

// The dtype in which two operands meet. An index becomes what it meets; other mixtures have none.
static std::optional<DType> meet(DType a, DType b) {
  auto takesIndex = [](DType d) { return isFloat(d) || d == i32 || d == i64; };
  if (a == b || (b == index && takesIndex(a)))
    return a;
  if (a == index && takesIndex(b))
    return b;
  return std::nullopt;
}

namespace {
enum class Takes { numbers, integers, integersAndMasks, anything };
struct Rule {
  const char *verb; // as the user writes it
  Element op;
  Takes takes;
  bool yieldsMask = false;
};
struct Pair {
  Tile a, b;
  TileType type;
};
} // namespace

// The two operands as tiles of one dtype and shape; poison after a mistake.
static Pair unite(const std::string &verb, const Operand &left, const Operand &right, Where where) {
  Recorder &r = Recorder::current();
  Looked a = r.look(left), b = r.look(right);
  Pair out;
  if (!a.tile && !b.tile) {
    r.mistake(where, verb + " needs a tile among its operands");
    return out;
  }
  TileType ta = typeOf(a.tile ? *a.tile : *b.tile), tb = typeOf(b.tile ? *b.tile : *a.tile);
  out.type = ta;
  auto dtype = meet(ta.dtype, tb.dtype);
  auto shape = stretch(ta.shape, tb.shape);
  if (dtype && shape)
    out.type = {*dtype, *shape};
  if ((a.tile && !r.usable(*a.tile, where)) || (b.tile && !r.usable(*b.tile, where)))
    return out;
  if (!dtype)
    r.mistake(where, verb + " mixes " + text(ta) + " and " + text(tb) + "; convert one with .to()");
  else if (!shape)
    r.mistake(where, verb + " cannot stretch " + text(ta) + " and " + text(tb) + " to one shape");
  if (r.failed())
    return out;
  auto lift = [&](const Looked &side) {
    if (!side.tile)
      return r.number(side.number, out.type, where);
    return r.stretched(r.converted(*side.tile, out.type.dtype, where), out.type.shape, where);
  };
  out.a = lift(a);
  out.b = lift(b);
  return out;
}

static bool allowed(Takes takes, DType d) {
  if (isFloat8(d)) // only stored, converted, chosen and multiplied
    return false;
  switch (takes) {
  case Takes::numbers:
    return d != i1;
  case Takes::integers:
    return isInteger(d);
  case Takes::integersAndMasks:
    return isInteger(d) || d == i1;
  case Takes::anything:
    return true;
  }
  return false;
}

static const char *wants(Takes takes) {
  return takes == Takes::numbers    ? "numbers (masks combine by & | ^ !)"
         : takes == Takes::integers ? "integers"
                                    : "integers or masks";
}

// The divisor with 1 where the machine would trap: 0 (which is also what a ragged edge loads), and -1 under the lowest
// number, whose quotient wraps to itself.
static Tile safeDivisor(const Pair &pair, Where where) {
  Recorder &r = Recorder::current();
  auto number = [&](int64_t n) { return r.number(n, pair.type, where); };
  auto both = [&](Element op, const Tile &a, const Tile &b, DType result) {
    Tile tiles[] = {a, b};
    return r.element(op, tiles, result, where);
  };
  Tile traps = both(Element::eq, pair.b, number(0), i1);
  DType d = pair.type.dtype;
  if (d == i8 || d == i32 || d == i64) {
    int64_t lowest = d == i64 ? INT64_MIN : -(int64_t(1) << (info(d).bits - 1));
    Tile wraps = both(Element::bitAnd, both(Element::eq, pair.b, number(-1), i1),
                      both(Element::eq, pair.a, number(lowest), i1), i1);
    traps = both(Element::bitOr, traps, wraps, i1);
  }
  Tile choice[] = {traps, number(1), pair.b};
  return r.element(Element::select, choice, d, where);
}

static Tile binary(const Rule &rule, const Operand &a, const Operand &b, Where where) {
  Recorder &r = Recorder::current();
  std::string verb = rule.verb;
  Pair pair = unite(verb, a, b, where);
  TileType out{rule.yieldsMask ? i1 : pair.type.dtype, pair.type.shape};
  if (!r.failed() && !allowed(rule.takes, pair.type.dtype))
    r.mistake(where, verb + " needs " + wants(rule.takes) + ", not " + text(pair.type));
  bool divides = isInteger(pair.type.dtype) && (rule.op == Element::div || rule.op == Element::rem);
  auto *divisor = std::get_if<int64_t>(&b.what);
  if (divides && divisor && *divisor == 0)
    r.mistake(where, verb + " divides an integer by zero");
  if (divides && !(divisor && *divisor > 0))
    pair.b = safeDivisor(pair, where);
  if (r.failed())
    return Recorder::poison(out);
  Tile both[] = {pair.a, pair.b};
  return r.element(rule.op, both, out.dtype, where);
}

// An operator's line is its right operand's: of the places that g++ and clang know, they agree on that one most often.
static Tile binary(const Rule &rule, const Operand &a, const Operand &b) { return binary(rule, a, b, b.where); }

Tile operator+(Operand a, Operand b) { return binary({"+", Element::add, Takes::numbers}, a, b); }
Tile operator-(Operand a, Operand b) { return binary({"-", Element::sub, Takes::numbers}, a, b); }
Tile operator*(Operand a, Operand b) { return binary({"*", Element::mul, Takes::numbers}, a, b); }
Tile operator/(Operand a, Operand b) { return binary({"/", Element::div, Takes::numbers}, a, b); }
Tile operator%(Operand a, Operand b) { return binary({"%", Element::rem, Takes::integers}, a, b); }
Tile operator&(Operand a, Operand b) { return binary({"&", Element::bitAnd, Takes::integersAndMasks}, a, b); }
Tile operator|(Operand a, Operand b) { return binary({"|", Element::bitOr, Takes::integersAndMasks}, a, b); }
Tile operator^(Operand a, Operand b) { return binary({"^", Element::bitXor, Takes::integersAndMasks}, a, b); }
Tile operator<<(Operand a, Operand b) { return binary({"<<", Element::shl, Takes::integers}, a, b); }
Tile operator>>(Operand a, Operand b) { return binary({">>", Element::shr, Takes::integers}, a, b); }
Tile operator==(Operand a, Operand b) { return binary({"==", Element::eq, Takes::anything, true}, a, b); }
Tile operator!=(Operand a, Operand b) { return binary({"!=", Element::ne, Takes::anything, true}, a, b); }
Tile operator<(Operand a, Operand b) { return binary({"<", Element::lt, Takes::numbers, true}, a, b); }
Tile operator<=(Operand a, Operand b) { return binary({"<=", Element::le, Takes::numbers, true}, a, b); }
Tile operator>(Operand a, Operand b) { return binary({">", Element::gt, Takes::numbers, true}, a, b); }
Tile operator>=(Operand a, Operand b) { return binary({">=", Element::ge, Takes::numbers, true}, a, b); }
Tile max(Operand a, Operand b, Where where) { return binary({"max", Element::max, Takes::numbers}, a, b, where); }
Tile min(Operand a, Operand b, Where where) { return binary({"min", Element::min, Takes::numbers}, a, b, where); }

static Tile unary(const char *verb, Element op, Takes takes, const Tile &a, Where where) {
  Recorder &r = Recorder::current();
  if (r.usable(a, where) &&
      (takes == Takes::anything ? !isFloat(a.dtype()) || isFloat8(a.dtype()) : !allowed(takes, a.dtype())))
    r.mistake(where, std::string(verb) + " needs " + (takes == Takes::anything ? "floats" : wants(takes)) + ", not " +
                         text(typeOf(a)));
  if (r.failed())
    return Recorder::poison(typeOf(a));
  return r.element(op, std::span(&a, 1), a.dtype(), where);
}

Tile exp2(Tile a, Where w) { return unary("exp2", Element::exp2, Takes::anything, a, w); }
Tile log2(Tile a, Where w) { return unary("log2", Element::log2, Takes::anything, a, w); }
Tile rsqrt(Tile a, Where w) { return unary("rsqrt", Element::rsqrt, Takes::anything, a, w); }
Tile sqrt(Tile a, Where w) { return unary("sqrt", Element::sqrt, Takes::anything, a, w); }
Tile tanh(Tile a, Where w) { return unary("tanh", Element::tanh, Takes::anything, a, w); }
Tile sin(Tile a, Where w) { return unary("sin", Element::sin, Takes::anything, a, w); }
Tile cos(Tile a, Where w) { return unary("cos", Element::cos, Takes::anything, a, w); }
Tile floor(Tile a, Where w) { return unary("floor", Element::floor, Takes::anything, a, w); }

Tile abs(Tile a, Where w) {
  if (a.dtype() == u8 || a.dtype() == index) // unsigned: already its own absolute value
    return Recorder::current().usable(a, w) ? a : Recorder::poison(typeOf(a));
  return unary("abs", Element::abs, Takes::numbers, a, w);
}

Tile operator-(Operand a) {
  Recorder &r = Recorder::current();
  Looked looked = r.look(a);
  if (!looked.tile) // unreachable: C++ negates numbers itself
    return {};
  if (isFloat(looked.tile->dtype()))
    return unary("-", Element::neg, Takes::numbers, *looked.tile, a.where);
  return binary({"-", Element::sub, Takes::numbers}, Operand(0, a.where), Operand(*looked.tile, a.where));
}

static Tile invert(const char *verb, const Operand &a, bool masksOnly) {
  Recorder &r = Recorder::current();
  Looked looked = r.look(a);
  if (!looked.tile)
    return {};
  DType d = looked.tile->dtype();
  bool fine = d == i1 || (!masksOnly && isInteger(d));
  if (r.usable(*looked.tile, a.where) && !fine)
    r.mistake(a.where, std::string(verb) + " needs " + (masksOnly ? "a mask" : "integers or masks") + ", not " +
                           text(typeOf(*looked.tile)));
  if (r.failed())
    return Recorder::poison(typeOf(*looked.tile));
  if (d == index) { // no negative number fits an index
    r.mistake(a.where, std::string(verb) + " of an index has no meaning");
    return Recorder::poison(typeOf(*looked.tile));
  }
  int64_t ones = d == i1 ? 1 : d == u8 ? 255 : -1;
  return binary({verb, Element::bitXor, Takes::integersAndMasks}, Operand(*looked.tile, a.where),
                Operand(ones, a.where));
}
Tile operator~(Operand a) { return invert("~", a, false); }
Tile operator!(Operand a) { return invert("!", a, true); }

Tile where(Tile mask, Operand a, Operand b, Where where) {
  Recorder &r = Recorder::current();
  if (!std::holds_alternative<Tile>(a.what) && !std::holds_alternative<Tile>(b.what)) { // two numbers: make one a tile
    bool whole = std::holds_alternative<int64_t>(a.what) && std::holds_alternative<int64_t>(b.what);
    Looked first = r.look(a);
    if (!first.tile)
      a = Operand(r.number(first.number, {whole ? i32 : f32, {}}, a.where), a.where);
  }
  Pair pair = unite("where", a, b, where);
  TileType out = pair.type;
  auto shape = stretch(mask.shape(), out.shape);
  if (shape)
    out.shape = *shape;
  if (r.usable(mask, where) && mask.dtype() != i1)
    r.mistake(where, "where needs a mask (i1) first, not " + text(typeOf(mask)));
  else if (!shape)
    r.mistake(where, "where cannot stretch " + text(typeOf(mask)) + " and " + text(pair.type) + " to one shape");
  else if (out.dtype == index && !out.shape.empty())
    r.mistake(where, "where cannot make " + text(out) + ": positions in tiles are i32, convert them with .to(i32)");
  if (r.failed())
    return Recorder::poison(out);
  Tile all[] = {r.stretched(mask, out.shape, where), r.stretched(pair.a, out.shape, where),
                r.stretched(pair.b, out.shape, where)};
  return r.element(Element::select, all, out.dtype, where);
}

Tile fma(Operand a, Operand b, Operand c, Where where) {
  Recorder &r = Recorder::current();
  Pair factors = unite("fma", a, b, where);
  Pair sum = unite("fma", Operand(factors.a, where), c, where);
  TileType out = sum.type;
  auto shape = stretch(factors.type.shape, out.shape);
  if (!r.failed() && out.dtype != f32)
    r.mistake(where, "fma needs f32, not " + text(out));
  if (r.failed())
    return Recorder::poison(out);
  Tile all[] = {r.stretched(factors.a, *shape, where), r.stretched(factors.b, *shape, where),
                r.stretched(sum.b, *shape, where)};
  return r.element(Element::fma, all, f32, where);
}

Tile Tile::to(DType dtype, Where where) const {
  Recorder &r = Recorder::current();
  TileType out{dtype, extents};
  auto refuse = [&](const std::string &why) { r.mistake(where, text(typeOf(*this)) + " cannot become " + why); };
  std::string wanted(name(dtype));
  if (r.usable(*this, where)) {
    if (isPacked(dtype))
      refuse(wanted + ": packed formats exist only in memory");
    else if (dtype == i1 && type != i1)
      refuse("i1: compare it instead");
    else if (dtype == index && type != index && !(isScalar() && (type == i32 || type == i64)))
      refuse("index: only i32 and i64 scalars can");
    else if (type == index && !(isFloat(dtype) || dtype == i32 || dtype == i64 || dtype == index))
      refuse(wanted + ": convert it to i32 first");
  }
  return r.failed() ? Recorder::poison(out) : r.converted(*this, dtype, where);
}

} // namespace tessera::dsl
