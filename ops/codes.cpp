#include "ops/codes.h"

namespace tessera::ops {
using namespace dsl;

Tile roundHalfEven(Tile x) {
  constexpr double noFraction = 12582912.0;
  return (x + noFraction) - noFraction;
}

Codes quantized(Tile value) {
  Tile d = reduceMax(abs(value), 1) / 127.0;
  Tile tiny = d < 0x1p-100;
  Tile code = roundHalfEven(value / where(tiny, 1.0, d)).to(i32);
  return {code, where(tiny, 0.0, d), reduceSum(code, 1)};
}

CodeRows::CodeRows(Kernel &k, Dim T, Dim D, int group, const RowNames &names)
    : codes(k.out(names.codes, i8, {T, D})), scale(k.out(names.scale, f32, {T, D / group})),
      sum(k.out(names.sum, i32, {T, D / group})), group(group) {}

void CodeRows::store(Range t, Range j, Tile value) const {
  int64_t rows = t.size, columns = j.size, groups = columns / group;
  Codes q = quantized(reshape(value, {rows * groups, group}));
  dsl::store(codes(t, j), reshape(q.code, {rows, columns}).to(i8));
  dsl::store(scale(t, j / group), reshape(q.scale, {rows, groups}));
  dsl::store(sum(t, j / group), reshape(q.sum, {rows, groups}));
}

RowOutput::RowOutput(Kernel &k, Dim T, Dim D, int group, DType plain, const RowNames &names) : plain(plain) {
  if (group)
    codes.emplace(k, T, D, group, names);
  else
    y = k.out(names.plain, plain, {T, D});
}

void RowOutput::store(Range t, Range j, Tile value) const {
  codes ? codes->store(t, j, value) : dsl::store(y(t, j), value.to(plain));
}

HeadOutput::HeadOutput(Kernel &k, const std::array<Size, 3> &of, int headDim, int group, DType plain)
    : group(group), plain(plain) {
  if (!group) {
    o = k.out("o", plain, {of[0], of[1], of[2], headDim});
    return;
  }
  codes = k.out("codes", i8, {of[0], of[1], of[2], headDim});
  scale = k.out("scale", f32, {of[0], of[1], of[2], headDim / group});
  sum = k.out("sum", i32, {of[0], of[1], of[2], headDim / group});
}

void HeadOutput::store(Subscript b, Subscript query, Subscript head, Tile value) const {
  if (!group)
    return dsl::store(o(b, query, head, all), value.to(plain));
  Shape shape = value.shape(), perGroup = shape;
  int64_t groups = shape.back() / group, rows = groups;
  for (size_t axis = 0; axis + 1 < shape.size(); ++axis)
    rows *= shape[axis];
  perGroup.back() = groups;
  Codes q = quantized(reshape(value, {rows, group}));
  dsl::store(codes(b, query, head, all), reshape(q.code, shape).to(i8));
  dsl::store(scale(b, query, head, all), reshape(q.scale, perGroup));
  dsl::store(sum(b, query, head, all), reshape(q.sum, perGroup));
}

} // namespace tessera::ops
