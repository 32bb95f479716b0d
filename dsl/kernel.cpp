#include "dsl/kernel.h"
#include "dsl/recorder.h"

namespace tessera::dsl {

Dim Kernel::declareDim(std::string_view name, Where where) { return Recorder::current().declareDim(name, where); }

Tensor Kernel::in(Name name, DType dtype, std::vector<Size> extents) {
  return Recorder::current().declareTensor(name.text, ArgKind::in, dtype, std::move(extents), name.where);
}
Tensor Kernel::out(Name name, DType dtype, std::vector<Size> extents) {
  return Recorder::current().declareTensor(name.text, ArgKind::out, dtype, std::move(extents), name.where);
}
Tensor Kernel::inOut(Name name, DType dtype, std::vector<Size> extents) {
  return Recorder::current().declareTensor(name.text, ArgKind::inOut, dtype, std::move(extents), name.where);
}
Tile Kernel::scalar(Name name, DType dtype) { return Recorder::current().declareScalar(name.text, dtype, name.where); }

bool Kernel::require(bool holds, const std::string &sentence, Where where) {
  if (!holds)
    Recorder::current().mistake(where, sentence);
  return holds;
}

void Kernel::openGrid(size_t axes, Where where) { Recorder::current().openGrid(axes, where); }
Tile Kernel::axis(int, const Points &domain) { return Recorder::current().program(domain.bound, 1, domain.where); }
Range Kernel::axis(int, const Blocks &domain) {
  Recorder &r = Recorder::current();
  Tile origin = r.program(domain.bound, domain.size, domain.where);
  return Range(origin, r.indexOf(domain.bound, domain.where), std::max<int64_t>(domain.size, 1), domain.bound);
}

Tensor Recorder::declareTensor(std::string_view name, ArgKind kind, DType dtype, std::vector<Size> extents,
                               Where where) {
  ArgInfo arg{std::string(name), kind, dtype, {}};
  freshName(name, where);
  checkTensor(arg, extents, where);
  std::vector<NamedExtent> named;
  for (const Size &size : extents) {
    Extent extent = extentOf(size, where, "an axis of '" + arg.name + "'");
    if (failed())
      break;
    if (extent.dim >= 0)
      dims[extent.dim].used = true;
    arg.extents.push_back(extent);
    named.push_back(extent.dim >= 0 ? NamedExtent{dims[extent.dim].name} : NamedExtent{"", extent.value});
  }
  if (!failed() && isPacked(dtype))
    packColumns(arg, where);
  // After a mistake the tensor is known all the same: what is loaded from it must have a shape.
  tensors.push_back({arg.name, kind, dtype, std::move(extents), nullptr, where});
  if (!failed()) {
    const char *access = kind == ArgKind::in ? "in" : kind == ArgKind::out ? "out" : "inout";
    tensors.back().view = builder.tensor(arg.name, access, dtype, named, where);
    signature.args.push_back(std::move(arg));
  }
  return Tensor(serial, int(tensors.size()) - 1);
}

void Recorder::checkTensor(const ArgInfo &arg, const std::vector<Size> &extents, Where where) {
  std::string tensor = "tensor '" + arg.name + "'", dtype(tessera::name(arg.dtype));
  bool packed = isPacked(arg.dtype);
  if (arg.dtype == index)
    mistake(where, tensor + " cannot have the dtype index: positions in memory are i32");
  else if (extents.empty())
    mistake(where, tensor + " has no axis: pass a number as a scalar()");
  else if (packed && arg.kind != ArgKind::in)
    mistake(where, tensor + " is packed (" + dtype + ") and can only be read");
  else if (packed && extents.size() != 2)
    mistake(where, tensor + " is packed (" + dtype + ") and must be a matrix");
}

// The columns of a packed matrix come in whole blocks: checked here, or by a launch.
void Recorder::packColumns(const ArgInfo &arg, Where where) {
  Extent columns = arg.extents.back();
  int64_t block = info(arg.dtype).packed->block;
  if (columns.dim < 0 && columns.value % block)
    mistake(where, "tensor '" + arg.name + "' has " + std::to_string(columns.value) + " columns, but " +
                       std::string(name(arg.dtype)) + " packs blocks of " + std::to_string(block));
  if (failed() || columns.dim < 0)
    return;
  signature.divisors[columns.dim] = block;
  builder.setDivisor(columns.dim, block);
}

Tile Recorder::declareScalar(std::string_view name, DType dtype, Where where) {
  TileType type{dtype, {}};
  if (failed() || !freshName(name, where))
    return poison(type);
  if (isPacked(dtype) || dtype == index)
    mistake(where, "scalar '" + std::string(name) + "' cannot have the dtype " + std::string(tessera::name(dtype)));
  if (failed())
    return poison(type);
  signature.args.push_back({std::string(name), ArgKind::scalar, dtype, {}});
  return wrap(builder.scalar(std::string(name), dtype, where), type);
}

void Recorder::openGrid(size_t, Where where) {
  if (grid)
    mistake(where, "parallel() is called twice: a kernel has one grid");
  grid = where;
}

Tile Recorder::program(const Size &bound, int64_t block, Where where) {
  if (block <= 0)
    mistake(where, "a block of " + std::to_string(block) + " is not positive");
  Extent extent = extentOf(bound, where, "a grid axis");
  Tile size = indexOf(bound, where);
  TileType type{index, {}};
  if (failed())
    return poison(type);
  int axis = int(signature.grid.size());
  signature.grid.push_back({extent, block});
  return wrap(builder.program(handle(size), axis, block, where), type);
}

} // namespace tessera::dsl
