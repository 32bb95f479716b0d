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
View superScales(View view) { return part(std::move(view), Part::superScales); }
View superMins(View view) { return part(std::move(view), Part::superMins); }

// Values of a row that one element of the part covers.
static int64_t unitOf(const PackedFormat &packed, Part part, int64_t columns) {
  switch (part) {
  case Part::scales:
  case Part::mins:
    return packed.group;
  case Part::superScales:
  case Part::superMins:
    return std::min<int64_t>(packed.block, columns);
  default:
    return 1;
  }
}

TensorInfo *Recorder::tensor(uint64_t kernel, int number, Where where) {
  if (number < 0)
    mistake(where, "this tensor was never declared with in(), out() or inOut()");
  else if (kernel != serial)
    mistake(where, "this tensor belongs to another kernel");
  return number >= 0 && kernel == serial ? &tensors[number] : nullptr;
}

// What a view selects, right or wrong: the type of what is loaded after a mistake. Extents that are unknown count as 1.
static TileType selected(const View &view, const TensorInfo *tensor) {
  TileType type{tensor ? tensor->dtype : f32, {}};
  bool gathered = false;
  for (size_t axis = 0; axis < view.subscripts.size(); ++axis) {
    const auto &what = view.subscripts[axis].what;
    if (auto *range = std::get_if<Range>(&what)) {
      type.shape.push_back(range->size);
    } else if (auto *at = std::get_if<Tile>(&what)) {
      if (!at->isScalar() && !std::exchange(gathered, true))
        type.shape.push_back(at->shape()[0]);
    } else if (std::holds_alternative<All>(what)) {
      bool known = tensor && axis < tensor->extents.size();
      auto *size = known ? std::get_if<int64_t>(&tensor->extents[axis].what) : nullptr;
      type.shape.push_back(size ? *size : 1);
    }
  }
  const auto &packed = info(type.dtype).packed;
  if (!packed)
    return type;
  bool codes = view.part == Part::whole || view.part == Part::codes;
  bool outer = view.part == Part::superScales || view.part == Part::superMins;
  type.dtype = codes ? packed->element : outer ? f16 : packed->scale;
  if (!type.shape.empty())
    type.shape.back() /= unitOf(*packed, view.part, type.shape.back());
  return type;
}

namespace {
// Turns the user's subscripts into checked axis accesses.
struct Resolver {
  Recorder &r;
  const TensorInfo &tensor;
  Where where;
  Shape shape; // what the view selects
  Access access{tensor.view, {}, nullptr, Part::whole};
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
  }

  void whole(size_t axis) {
    auto *size = std::get_if<int64_t>(&tensor.extents[axis].what);
    if (!size) {
      r.mistake(where, axisName(axis) + " has the symbolic size " + r.sizeName(tensor.extents[axis]) +
                           ": walk it with blocks(), `all` needs a constant");
      return;
    }
    access.axes.push_back({AxisAccess::all, *size});
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
    if (gathered && *gathered != n)
      r.mistake(where, axisName(axis) + " gathers " + std::to_string(n) + " rows and another axis " +
                           std::to_string(*gathered) + ": gathers go side by side");
    gathered = n;
    access.axes.push_back({AxisAccess::each, n, Recorder::handle(at)});
  }

  bool resolve(const View &view) {
    if (view.subscripts.size() != tensor.extents.size())
      r.mistake(where, "tensor '" + tensor.name + "' has " + counted(int64_t(tensor.extents.size()), "axis", "axes") +
                           ", but is given " + counted(int64_t(view.subscripts.size()), "subscript", "subscripts"));
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

// Checks that the tensor has the part and that the columns are whole blocks of it.
static void checkPart(Resolver &at, const View &view) {
  const auto &packed = info(at.tensor.dtype).packed;
  std::string tensor = "tensor '" + at.tensor.name + "'", dtype(name(at.tensor.dtype));
  auto refuse = [&](const std::string &why) { at.r.mistake(at.where, why); };
  if (!packed) {
    if (view.part != Part::whole)
      refuse(tensor + " is " + dtype + ": only packed tensors have codes, scales and mins");
    return;
  }
  bool mins = view.part == Part::mins || view.part == Part::superMins;
  bool outer = view.part == Part::superScales || view.part == Part::superMins;
  if (packed->isValues()) {
    if (view.part != Part::whole)
      refuse(tensor + " is " + dtype + ": values in panels have no parts, load the view itself");
    return;
  }
  // Columns come in whole groups; beyond that, in whole blocks or in equal parts of one.
  auto *range = std::get_if<Range>(&view.subscripts.back().what);
  int64_t group = packed->group, block = packed->block;
  int64_t unit = range && range->size < block && block % std::max<int64_t>(range->size, 1) == 0 ? range->size : block;
  bool whole = !range || (range->size % unit == 0 && unit % group == 0);
  if (view.part == Part::whole)
    refuse(tensor + " is packed (" + dtype + "): load its codes(), scales() or mins()");
  else if (mins && !packed->hasMin)
    refuse(tensor + " has no mins: " + dtype + " stores codes and scales only");
  else if (outer && !packed->twoLevels())
    refuse(tensor + " has one level of scales: " + dtype + " has no superScales or superMins");
  else if (!range && !std::holds_alternative<All>(view.subscripts.back().what))
    refuse("the columns of " + tensor + " are read by a range of whole blocks of " + std::to_string(group));
  else if (!whole)
    refuse("a range of " + std::to_string(range->size) + " columns of " + tensor + " is not a multiple of " + dtype +
           "'s block of " + std::to_string(group));
  else if (range && range->aligned % unit)
    refuse("the columns of " + tensor + " are read from a multiple of " + std::to_string(unit) +
           ", but this range may begin elsewhere");
}

static Tile loadMasked(const View &view, const Tile *mask, Where where) {
  Recorder &r = Recorder::current();
  TensorInfo *tensor = r.tensor(view.kernel, view.tensor, where);
  TileType type = selected(view, tensor);
  if (!tensor || r.failed())
    return Recorder::poison(type);
  Resolver at{r, *tensor, where, type.shape};
  at.access.part = view.part;
  if (tensor->kind == ArgKind::out)
    r.mistake(where, "tensor '" + tensor->name + "' is an output and cannot be loaded: declare it inOut()");
  if (at.resolve(view))
    checkPart(at, view);
  if (mask)
    at.mask(*mask);
  return r.failed() ? Recorder::poison(type) : r.wrap(r.builder.load(at.access, type, where), type);
}
Tile load(View view, Where where) { return loadMasked(view, nullptr, where); }
Tile load(View view, Tile mask, Where where) { return loadMasked(view, &mask, where); }

static void write(const View &view, Tile value, const Tile *mask, bool atomic, Where where) {
  Recorder &r = Recorder::current();
  TensorInfo *tensor = r.tensor(view.kernel, view.tensor, where);
  if (!tensor || r.failed())
    return;
  std::string quoted = "tensor '" + tensor->name + "'";
  if (tensor->kind == ArgKind::in)
    r.mistake(where, quoted + " is an input and cannot be stored to");
  else if (atomic && tensor->kind == ArgKind::out)
    r.mistake(where, "atomicAdd adds to what is there: declare " + quoted + " inOut()");
  else if (view.part != Part::whole)
    r.mistake(where, quoted + " is not packed: it has no codes, scales or mins");
  Resolver at{r, *tensor, where, selected(view, tensor).shape};
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
