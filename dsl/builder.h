// Builder: the back of the tracer, which writes tile IR. Knows no user mistakes: Recorder has checked everything.
#pragma once
#include "base/artifact.h"
#include "base/result.h"
#include "dsl/tensor.h"
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tessera::dsl {

// Element-wise operations.
enum class Element : uint8_t {
  add,
  sub,
  mul,
  div,
  rem,
  min,
  max,
  bitAnd,
  bitOr,
  bitXor,
  shl,
  shr, // two operands of one dtype
  eq,
  ne,
  lt,
  le,
  gt,
  ge,     // two operands of one dtype, result i1
  select, // i1, then two of one dtype
  fma,    // three of f32
  exp2,
  log2,
  rsqrt,
  sqrt,
  tanh,
  sin,
  cos,
  floor,
  abs,
  neg, // one operand
};

enum class Reduction : uint8_t { max, sum, scan, argMax };

// What a tile is: "64x128xf16".
struct TileType {
  DType dtype = f32;
  Shape shape;
  bool operator==(const TileType &) const = default;
};

// One axis of an access. point: first; range: first (origin), second (bound); each: first; all: none.
struct AxisAccess {
  enum Kind : uint8_t { point, range, all, each } kind;
  int64_t size = 1;
  Handle first = nullptr, second = nullptr;
};
struct Access {
  Handle view;
  std::vector<AxisAccess> axes;
  Handle mask = nullptr;
  Part part = Part::whole;
};

struct LoopValues {
  void *op = nullptr;
  Handle step = nullptr;
  std::vector<Handle> carried;
};

// One extent of a tensor argument: a dim's name, or the size where the name is empty.
struct NamedExtent {
  std::string dim;
  int64_t size = 0;
};

// Not thread-safe; one per trace. Handles live as long as the builder.
class Builder {
public:
  Builder(); // of nothing: for a recorder that has failed
  explicit Builder(const std::string &kernel);
  ~Builder();

  Handle dim(const std::string &name, int number, Where where);
  void setDivisor(int dim, int64_t divisor);
  void setScaled(const ScaledDim &scaled);
  Handle tensor(const std::string &name, std::string_view access, DType dtype, std::span<const NamedExtent> extents,
                Where where);
  Handle scalar(const std::string &name, DType dtype, Where where);

  Handle program(Handle bound, int axis, int64_t block, Where where);
  Handle constant(std::variant<double, int64_t> value, const TileType &type, Where where);
  Handle element(Element op, DType operands, std::span<const Handle> values, Where where);
  Handle convert(Handle value, const TileType &from, DType to, Where where);
  // splat, broadcast, reshape, trans: one operand, the result's type says it all.
  enum class Shaping : uint8_t { splat, broadcast, reshape, trans };
  Handle shape(Shaping op, Handle value, const TileType &to, Where where);
  struct Dot {
    Handle a, b, acc;
    bool aUnsigned, bUnsigned, tf32;
  };
  Handle dot(const Dot &dot, Where where);
  Handle reduce(Reduction kind, Handle value, int axis, const TileType &to, Where where);
  Handle iota(Handle origin, int64_t size, Where where);
  Handle load(const Access &access, const TileType &type, Where where);
  void store(const Access &access, Handle value, bool atomicAdd, Where where);

  LoopValues openLoop(Handle bound, int64_t step, std::span<const Handle> start, Where where);
  std::vector<Handle> closeLoop(const LoopValues &loop, std::span<const Handle> next);
  // "file:line" of the operation that made the value, if it stands in the block that is being filled; else empty.
  std::string placeOf(Handle value) const;
  // Whether the value may be used where the builder stands now.
  bool inScope(Handle value) const;

  // The module's text with and without locations, verified. Ends the builder's use.
  struct Text {
    std::string located, bare;
  };
  Result<Text> finish();

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace tessera::dsl
