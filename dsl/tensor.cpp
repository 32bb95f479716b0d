#include "dsl/tensor.h"
#include "dsl/recorder.h"

namespace tessera::dsl {

static View part(View view, Part part) {
  view.part = part;
  return view;
}
View codes(View view) { return part(std::move(view), Part::codes); }
View scales(View view) { return part(std::move(view), Part::scales); }
View mins(View view) { return part(std::move(view), Part::mins); }

TensorInfo *Recorder::tensor(uint64_t kernel, int number, Where where) {
  if (failed())
    return nullptr;
  if (number < 0)
    mistake(where, "this tensor was never declared with in(), out() or inOut()");
  else if (kernel != serial)
    mistake(where, "this tensor belongs to another kernel");
  return failed() ? nullptr : &tensors[number];
}

namespace {
// Turns the user's subscripts into checked axis accesses; the shape is what they select.
struct Resolver {
  Recorder &r;
  const TensorInfo &tensor;
  Where where;
  Access access{tensor.view, {}, nullptr, Part::whole};
  Shape shape;
  std::optional<int64_t> gathered;

  std::string axisName(size_t axis) const { return "axis " + std::to_string(axis) + " of '" + tensor.name + "'"; }

  void range(size_t axis, const Range &range) {
    Tile both[] = {range.origin, range.bound};
    if (!r.usable(both, where, "range"))
      return;
    if (!Recorder::mayWalk(range.limit, tensor.extents[axis]))
      r.mistake(where, axisName(axis) + " has the size " + r.sizeName(tensor.extents[axis]) +
                           ", but the range runs to " + r.sizeName(range.limit));
    access.axes.push_back(
        {AxisAccess::range, range.size, Recorder::handle(range.origin), Recorder::handle(range.bound)});
    shape.push_back(range.size);
  }

  void whole(size_t axis) {
    auto *size = std::get_if<int64_t>(&tensor.extents[axis].what);
    if (!size) {
      r.mistake(where, axisName(axis) + " has the symbolic size " + r.sizeName(tensor.extents[axis]) +
                           ": walk it with blocks(), `all` needs a constant");
      return;
    }
    access.axes.push_back({AxisAccess::all, *size});
    shape.push_back(*size);
  }

  void point(size_t axis, int64_t n) {
    auto *size = std::get_if<int64_t>(&tensor.extents[axis].what);
    if (n < 0 || (size && n >= *size))
      r.mistake(where, "position " + std::to_string(n) + " is outside of " + axisName(axis) + ", whose size is " +
                           r.sizeName(tensor.extents[axis]));
    Tile at = r.number(n, {index, {}}, where);
    access.axes.push_back({AxisAccess::point, 1, Recorder::handle(at)});
  }

  void tile(size_t axis, const Tile &at) {
    if (!r.usable(at, where))
      return;
    TileType type = typeOf(at);
    if (type.shape.empty() && (type.dtype == index || type.dtype == i32)) {
      access.axes.push_back({AxisAccess::point, 1, Recorder::handle(r.toIndex(at, where))});
      return;
    }
    if (type.shape.size() != 1 || type.dtype != i32) {
      r.mistake(where, axisName(axis) + " is subscripted by " + text(type) +
                           ": use a range, an index or i32 scalar, or an i32 tile of rank 1");
      return;
    }
    int64_t n = type.shape[0];
    if (!gathered)
      shape.push_back(n);
    else if (*gathered != n)
      r.mistake(where, axisName(axis) + " gathers " + std::to_string(n) + " rows and another axis " +
                           std::to_string(*gathered) + ": gathers go side by side");
    gathered = n;
    access.axes.push_back({AxisAccess::each, n, Recorder::handle(at)});
  }

  bool resolve(const View &view) {
    if (view.subscripts.size() != tensor.extents.size())
      r.mistake(where, "tensor '" + tensor.name + "' has " + std::to_string(tensor.extents.size()) +
                           " axes, but is given " + std::to_string(view.subscripts.size()) + " subscripts");
    for (size_t axis = 0; axis < view.subscripts.size() && !r.failed(); ++axis) {
      const auto &what = view.subscripts[axis].what;
      if (auto *block = std::get_if<Range>(&what))
        range(axis, *block);
      else if (auto *n = std::get_if<int64_t>(&what))
        point(axis, *n);
      else if (auto *at = std::get_if<Tile>(&what))
        tile(axis, *at);
      else
        whole(axis);
    }
    return !r.failed();
  }

  // Masks a whole tile: i1, stretched to its shape.
  void mask(const Tile &mask) {
    if (!r.usable(mask, where))
      return;
    auto common = stretch(mask.shape(), shape);
    if (mask.dtype() != i1)
      r.mistake(where, "a mask is i1, not " + text(typeOf(mask)));
    else if (shape.empty())
      r.mistake(where, "a single element takes no mask");
    else if (!common || *common != shape)
      r.mistake(where, "a mask of " + text(typeOf(mask)) + " does not stretch to " + text({i1, shape}));
    access.mask = Recorder::handle(r.stretched(mask, shape, where));
  }
};
} // namespace

// What a part of a packed tensor is loaded as; checks that the part exists.
static DType partType(Resolver &at, Part part) {
  const auto &packed = info(at.tensor.dtype).packed;
  std::string quoted = "tensor '" + at.tensor.name + "'", dtype(name(at.tensor.dtype));
  if (!packed) {
    if (part != Part::whole)
      at.r.mistake(at.where, quoted + " is " + dtype + ": only packed tensors have codes, scales and mins");
    return at.tensor.dtype;
  }
  int64_t block = packed->block;
  if (part == Part::whole)
    at.r.mistake(at.where, quoted + " is packed (" + dtype + "): load its codes(), scales() or mins()");
  else if (part == Part::mins && !packed->hasMin)
    at.r.mistake(at.where, quoted + " has no mins: " + dtype + " stores codes and scales only");
  else if (at.access.axes.back().kind != AxisAccess::range && at.access.axes.back().kind != AxisAccess::all)
    at.r.mistake(at.where,
                 "the columns of " + quoted + " are read by a range of whole blocks of " + std::to_string(block));
  else if (at.shape.back() % block)
    at.r.mistake(at.where, "a range of " + std::to_string(at.shape.back()) + " columns of " + quoted +
                               " is not a multiple of " + dtype + "'s block of " + std::to_string(block));
  if (!at.r.failed() && part != Part::codes)
    at.shape.back() /= block;
  return part == Part::codes ? u8 : f16;
}

static Tile loadMasked(const View &view, const Tile *mask, Where where) {
  Recorder &r = Recorder::current();
  TensorInfo *tensor = r.tensor(view.kernel, view.tensor, where);
  if (!tensor)
    return {};
  Resolver at{r, *tensor, where};
  at.access.part = view.part;
  if (tensor->kind == ArgKind::out)
    r.mistake(where, "tensor '" + tensor->name + "' is an output and cannot be loaded: declare it inOut()");
  at.resolve(view);
  DType dtype = r.failed() ? f32 : partType(at, view.part);
  if (mask)
    at.mask(*mask);
  TileType type{dtype, at.shape};
  return r.failed() ? Recorder::poison(type) : r.wrap(r.builder.load(at.access, type, where), type);
}
Tile load(View view, Where where) { return loadMasked(view, nullptr, where); }
Tile load(View view, Tile mask, Where where) { return loadMasked(view, &mask, where); }

static void write(const View &view, Tile value, const Tile *mask, bool atomic, Where where) {
  Recorder &r = Recorder::current();
  TensorInfo *tensor = r.tensor(view.kernel, view.tensor, where);
  if (!tensor)
    return;
  std::string quoted = "tensor '" + tensor->name + "'";
  if (tensor->kind == ArgKind::in)
    r.mistake(where, quoted + " is an input and cannot be stored to");
  else if (atomic && tensor->kind == ArgKind::out)
    r.mistake(where, "atomicAdd adds to what is there: declare " + quoted + " inOut()");
  else if (view.part != Part::whole)
    r.mistake(where, quoted + " is not packed: it has no codes, scales or mins");
  Resolver at{r, *tensor, where};
  if (!at.resolve(view) || !r.usable(value, where))
    return;
  TileType wanted{tensor->dtype, at.shape}, given = typeOf(value);
  if (given.dtype != wanted.dtype || (given.shape != wanted.shape && !given.shape.empty()))
    r.mistake(where, "this view of '" + tensor->name + "' takes " + text(wanted) + ", not " + text(given));
  if (mask)
    at.mask(*mask);
  if (r.failed())
    return;
  tensor->written = true;
  r.builder.store(at.access, Recorder::handle(r.stretched(value, at.shape, where)), atomic, where);
}
void store(View view, Tile value, Where where) { write(view, std::move(value), nullptr, false, where); }
void store(View view, Tile value, Tile mask, Where where) { write(view, std::move(value), &mask, false, where); }
void atomicAdd(View view, Tile value, Where where) { write(view, std::move(value), nullptr, true, where); }
void atomicAdd(View view, Tile value, Tile mask, Where where) { write(view, std::move(value), &mask, true, where); }

} // namespace tessera::dsl
