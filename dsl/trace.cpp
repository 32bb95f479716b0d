// Builder over MLIR, and traceKernel.
#include "dsl/trace.h"
#include "compiler/tile/tile.h"
#include "dsl/recorder.h"
#include "dsl/trace_parts.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "llvm/Support/raw_ostream.h"

namespace tessera::dsl {
using namespace mlir;
namespace ar = mlir::arith;

struct Builder::State {
  MLIRContext context{MLIRContext::Threading::DISABLED};
  OpBuilder b{&context};
  OwningOpRef<ModuleOp> module;
  func::FuncOp kernel;

  Location at(Where where) {
    return FileLineColLoc::get(b.getStringAttr(where.file_name()), unsigned(where.line()), 0);
  }
  Type element(DType dtype) {
    switch (dtype) {
    case i1:
      return b.getI1Type();
    case u8:
    case i8:
      return b.getI8Type();
    case i32:
      return b.getI32Type();
    case i64:
      return b.getI64Type();
    case index:
      return b.getIndexType();
    case f16:
      return b.getF16Type();
    case bf16:
      return b.getBF16Type();
    case f32:
      return b.getF32Type();
    case e4m3:
      return b.getType<Float8E4M3FNType>();
    case e5m2:
      return b.getType<Float8E5M2Type>();
    default:
      return tile::PackedType::get(&context, name(dtype));
    }
  }
  Type type(const TileType &type) {
    Type of = element(type.dtype);
    return type.shape.empty() ? of : Type(RankedTensorType::get(type.shape, of));
  }
  Handle argument(unsigned number, Type type, DictionaryAttr attributes, Where where) {
    (void)kernel.insertArgument(number, type, attributes, at(where));
    return kernel.getArgument(number).getAsOpaquePointer();
  }
};

static Value value(Handle handle) { return Value::getFromOpaquePointer(handle); }
static Handle handle(Value value) { return value.getAsOpaquePointer(); }
static SmallVector<Value> valuesOf(std::span<const Handle> handles) {
  SmallVector<Value> out;
  for (Handle one : handles)
    out.push_back(value(one));
  return out;
}

Builder::Builder() = default;
Builder::~Builder() = default;
Builder::Builder(const std::string &kernel) : state(std::make_unique<State>()) {
  State &s = *state;
  s.context.loadDialect<tile::TileDialect, ar::ArithDialect, math::MathDialect, scf::SCFDialect, func::FuncDialect>();
  Location unknown = UnknownLoc::get(&s.context);
  s.module = ModuleOp::create(unknown);
  s.b.setInsertionPointToEnd(s.module->getBody());
  s.kernel = func::FuncOp::create(s.b, unknown, kernel, s.b.getFunctionType({}, {}));
  s.kernel->setAttr(tile::kernelAttr, s.b.getUnitAttr());
  s.b.setInsertionPointToEnd(s.kernel.addEntryBlock());
}

Handle Builder::dim(const std::string &name, int number, Where where) {
  OpBuilder &b = state->b;
  return state->argument(number, b.getIndexType(),
                         b.getDictionaryAttr(b.getNamedAttr(tile::dimAttr, b.getStringAttr(name))), where);
}

void Builder::setDivisor(int dim, int64_t divisor) {
  state->kernel.setArgAttr(dim, tile::divisorAttr, state->b.getI64IntegerAttr(divisor));
}

void Builder::setScaled(const ScaledDim &scaled) {
  state->kernel.setArgAttr(scaled.dim, tile::scaledAttr,
                           state->b.getDenseI64ArrayAttr({scaled.of, scaled.times, scaled.over}));
}

Handle Builder::tensor(const std::string &name, std::string_view access, DType dtype,
                       std::span<const NamedExtent> extents, Where where) {
  OpBuilder &b = state->b;
  SmallVector<int64_t> shape;
  SmallVector<Attribute> sizes;
  for (const NamedExtent &extent : extents) {
    shape.push_back(extent.dim.empty() ? extent.size : ShapedType::kDynamic);
    sizes.push_back(extent.dim.empty() ? Attribute(b.getI64IntegerAttr(extent.size)) : b.getStringAttr(extent.dim));
  }
  NamedAttribute attributes[] = {b.getNamedAttr(tile::nameAttr, b.getStringAttr(name)),
                                 b.getNamedAttr(tile::accessAttr, b.getStringAttr(access)),
                                 b.getNamedAttr(tile::extentsAttr, b.getArrayAttr(sizes))};
  auto type = tile::ViewType::get(&state->context, shape, state->element(dtype));
  return state->argument(state->kernel.getNumArguments(), type, b.getDictionaryAttr(attributes), where);
}

Handle Builder::scalar(const std::string &name, DType dtype, Where where) {
  OpBuilder &b = state->b;
  NamedAttribute attributes[] = {b.getNamedAttr(tile::nameAttr, b.getStringAttr(name)),
                                 b.getNamedAttr(tile::accessAttr, b.getStringAttr("scalar"))};
  return state->argument(state->kernel.getNumArguments(), state->element(dtype), b.getDictionaryAttr(attributes),
                         where);
}

Handle Builder::program(Handle bound, int axis, int64_t block, Where where) {
  return handle(tile::ProgramOp::create(state->b, state->at(where), value(bound), uint64_t(axis), uint64_t(block)));
}

Handle Builder::constant(std::variant<double, int64_t> number, const TileType &type, Where where) {
  OpBuilder &b = state->b;
  Type element = state->element(type.dtype);
  TypedAttr one;
  if (type.dtype == u8) // the IR's bytes have no sign; its attributes hold them as signed
    number = int64_t(int8_t(std::get<int64_t>(number)));
  if (auto *real = std::get_if<double>(&number))
    one = b.getFloatAttr(element, *real);
  else
    one = b.getIntegerAttr(element, std::get<int64_t>(number));
  if (!type.shape.empty())
    one = DenseElementsAttr::get(cast<RankedTensorType>(state->type(type)), Attribute(one));
  return handle(ar::ConstantOp::create(b, state->at(where), one));
}

Handle Builder::element(Element op, DType operands, std::span<const Handle> handles, Where where) {
  return emitElement(state->b, state->at(where), op, operands, handles);
}

Handle Builder::convert(Handle from, const TileType &type, DType to, Where where) {
  OpBuilder &b = state->b;
  Location at = state->at(where);
  Value v = value(from);
  Type wanted = state->type({to, type.shape});
  const DTypeInfo &a = info(type.dtype), &z = info(to);
  if (v.getType() == wanted) // u8 and i8 share their bits
    return from;
  if (to == index || (type.dtype == index && !z.isFloat))
    return handle(ar::IndexCastOp::create(b, at, wanted, v));
  if (type.dtype == index) {
    Value wide = ar::IndexCastOp::create(b, at, b.getI64Type(), v);
    return handle(ar::SIToFPOp::create(b, at, wanted, wide));
  }
  // 8-bit floats convert to and from f32 only: by way of it, which holds all of both sides.
  bool narrow = isFloat8(type.dtype) || isFloat8(to);
  if (narrow && type.dtype != f32 && to != f32)
    return convert(convert(from, type, f32, where), {f32, type.shape}, to, where);
  if (a.isFloat && z.isFloat) {
    if (a.bits == z.bits) // f16 <-> bf16: by way of f32, which holds both
      v = ar::ExtFOp::create(b, at, state->type({f32, type.shape}), v);
    return handle(a.bits < z.bits ? Value(ar::ExtFOp::create(b, at, wanted, v))
                                  : ar::TruncFOp::create(b, at, wanted, v));
  }
  bool fromSigned = isSigned(type.dtype);
  if (z.isFloat)
    return handle(fromSigned ? Value(ar::SIToFPOp::create(b, at, wanted, v)) : ar::UIToFPOp::create(b, at, wanted, v));
  if (a.isFloat)
    return handle(isSigned(to) ? Value(ar::FPToSIOp::create(b, at, wanted, v))
                               : ar::FPToUIOp::create(b, at, wanted, v));
  if (type.dtype == i1 || a.bits < z.bits)
    return handle(fromSigned ? Value(ar::ExtSIOp::create(b, at, wanted, v)) : ar::ExtUIOp::create(b, at, wanted, v));
  return handle(ar::TruncIOp::create(b, at, wanted, v));
}

Handle Builder::shape(Shaping op, Handle from, const TileType &to, Where where) {
  OpBuilder &b = state->b;
  Location at = state->at(where);
  Type type = state->type(to);
  switch (op) {
  case Shaping::splat:
    return handle(tile::SplatOp::create(b, at, type, value(from)));
  case Shaping::broadcast:
    return handle(tile::BroadcastOp::create(b, at, type, value(from)));
  case Shaping::reshape:
    return handle(tile::ReshapeOp::create(b, at, type, value(from)));
  case Shaping::trans:
    return handle(tile::TransOp::create(b, at, type, value(from)));
  }
  llvm_unreachable("shaping");
}

Handle Builder::dot(const Dot &dot, Where where) {
  Value acc = value(dot.acc);
  return handle(tile::DotOp::create(state->b, state->at(where), acc.getType(), value(dot.a), value(dot.b), acc,
                                    dot.aUnsigned, dot.bUnsigned, dot.tf32));
}

Handle Builder::reduce(Reduction kind, Handle from, int axis, const TileType &to, Where where) {
  OpBuilder &b = state->b;
  Location at = state->at(where);
  Type type = state->type(to);
  if (kind == Reduction::scan)
    return handle(tile::ScanOp::create(b, at, type, value(from), uint64_t(axis), Value()));
  if (kind == Reduction::argMax)
    return handle(tile::ArgMaxOp::create(b, at, type, value(from), uint64_t(axis), Value()));
  auto how = kind == Reduction::max ? tile::ReduceKind::max : tile::ReduceKind::sum;
  return handle(tile::ReduceOp::create(b, at, type, how, value(from), uint64_t(axis), Value()));
}

Handle Builder::iota(Handle origin, int64_t size, Where where) {
  return handle(tile::IotaOp::create(state->b, state->at(where), state->type({i32, {size}}), value(origin)));
}

namespace {
struct Subscripts {
  SmallVector<Value> values;
  SmallVector<int32_t> kinds;
  SmallVector<int64_t> sizes;
  Value mask;

  explicit Subscripts(const Access &access) : mask(access.mask ? value(access.mask) : Value()) {
    for (const AxisAccess &axis : access.axes) {
      kinds.push_back(int32_t(kind(axis.kind)));
      sizes.push_back(axis.size);
      if (axis.first)
        values.push_back(value(axis.first));
      if (axis.second)
        values.push_back(value(axis.second));
    }
  }
  static tile::Subscript kind(AxisAccess::Kind kind) {
    switch (kind) {
    case AxisAccess::point:
      return tile::Subscript::point;
    case AxisAccess::range:
      return tile::Subscript::range;
    case AxisAccess::all:
      return tile::Subscript::all;
    case AxisAccess::each:
      return tile::Subscript::each;
    }
    llvm_unreachable("subscript");
  }
};
} // namespace

static tile::Component componentOf(Part part) {
  switch (part) {
  case Part::whole: // values in panels are their own codes
  case Part::codes:
    return tile::Component::codes;
  case Part::scales:
    return tile::Component::scales;
  case Part::mins:
    return tile::Component::mins;
  case Part::superScales:
    return tile::Component::superScales;
  case Part::superMins:
    return tile::Component::superMins;
  }
  llvm_unreachable("part");
}

Handle Builder::load(const Access &access, const TileType &type, Where where) {
  Subscripts s(access);
  tile::ComponentAttr component;
  bool packed = isa<tile::PackedType>(cast<tile::ViewType>(value(access.view).getType()).getElementType());
  if (packed)
    component = tile::ComponentAttr::get(&state->context, componentOf(access.part));
  return handle(tile::LoadOp::create(state->b, state->at(where), state->type(type), value(access.view), s.values,
                                     s.mask, /*when=*/Value(), /*otherwise=*/Value(), s.kinds, s.sizes, component));
}

void Builder::store(const Access &access, Handle stored, bool atomicAdd, Where where) {
  Subscripts s(access);
  if (atomicAdd)
    tile::AtomicAddOp::create(state->b, state->at(where), value(stored), value(access.view), s.values, s.mask, s.kinds,
                              s.sizes);
  else
    tile::StoreOp::create(state->b, state->at(where), value(stored), value(access.view), s.values, s.mask, s.kinds,
                          s.sizes);
}

LoopValues Builder::openLoop(Handle bound, int64_t step, std::span<const Handle> start, Where where) {
  OpBuilder &b = state->b;
  Location at = state->at(where);
  Value zero = ar::ConstantIndexOp::create(b, at, 0), by = ar::ConstantIndexOp::create(b, at, step);
  auto loop = scf::ForOp::create(b, at, zero, value(bound), by, valuesOf(start));
  b.setInsertionPointToStart(loop.getBody());
  LoopValues out{loop.getOperation(), handle(loop.getInductionVar()), {}};
  for (Value carried : loop.getRegionIterArgs())
    out.carried.push_back(handle(carried));
  return out;
}

std::vector<Handle> Builder::closeLoop(const LoopValues &values, std::span<const Handle> next) {
  OpBuilder &b = state->b;
  auto loop = cast<scf::ForOp>(static_cast<Operation *>(values.op));
  if (next.empty()) // made with its terminator already
    b.setInsertionPointAfter(loop);
  else
    scf::YieldOp::create(b, loop.getLoc(), valuesOf(next));
  b.setInsertionPointAfter(loop);
  std::vector<Handle> out;
  for (Value result : loop.getResults())
    out.push_back(handle(result));
  return out;
}

std::string Builder::placeOf(Handle of) const {
  Operation *source = value(of).getDefiningOp();
  if (!source || source->getBlock() != state->b.getInsertionBlock())
    return "";
  auto at = dyn_cast<FileLineColLoc>(source->getLoc());
  return at ? at.getFilename().str() + ":" + std::to_string(at.getLine()) : "";
}

bool Builder::inScope(Handle of) const {
  Block *home = value(of).getParentBlock();
  for (Block *block = state->b.getInsertionBlock(); block;
       block = block->getParentOp() ? block->getParentOp()->getBlock() : nullptr)
    if (block == home)
      return true;
  return false;
}

Result<Builder::Text> Builder::finish() {
  State &s = *state;
  func::ReturnOp::create(s.b, s.kernel.getLoc());
  orderCanonically(s.kernel.getBody().front());
  std::string complaint;
  ScopedDiagnosticHandler handler(&s.context, [&](Diagnostic &diagnostic) {
    complaint += diagnostic.str() + "; ";
    return success();
  });
  if (failed(verify(*s.module)))
    return internalError("the trace of '" + s.kernel.getName().str() + "' is not valid IR: " + complaint);
  Text out;
  llvm::raw_string_ostream located(out.located), bare(out.bare);
  s.module->print(located, OpPrintingFlags().enableDebugInfo(true, /*prettyForm=*/false));
  s.module->print(bare);
  return out;
}

} // namespace tessera::dsl

namespace tessera {

Result<Program> traceKernel(std::string name, std::string config, const std::function<void(dsl::Kernel &)> &define,
                            dsl::Where where) {
  dsl::Recorder recorder(name, where);
  dsl::Kernel kernel;
  define(kernel);
  if (auto mistake = recorder.finish())
    return invalidArgument(std::move(*mistake));
  dsl::Builder::Text text = TESSERA_TRY(recorder.builder.finish());
  Program program{std::move(recorder.signature), std::move(config), std::move(text.located), std::move(text.bare)};
  program.digest = program.identity();
  return program;
}

} // namespace tessera
