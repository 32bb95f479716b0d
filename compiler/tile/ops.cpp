#include "base/dtype.h"
#include "compiler/tile/access.h"
#include "compiler/tile/tile.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace tessera::tile;

// Subscripts print as [%point, %origin for 8 until %bound, %origin for 8, all 64, each %rows for 16].
static ParseResult parseSubscripts(OpAsmParser &parser, SmallVectorImpl<OpAsmParser::UnresolvedOperand> &subscripts,
                                   SmallVectorImpl<Type> &types, DenseI32ArrayAttr &kinds, DenseI64ArrayAttr &sizes) {
  SmallVector<int32_t> kindList;
  SmallVector<int64_t> sizeList;
  Builder &b = parser.getBuilder();
  auto parseOne = [&]() -> ParseResult {
    OpAsmParser::UnresolvedOperand operand;
    int64_t size = 1;
    if (succeeded(parser.parseOptionalKeyword("all"))) {
      kindList.push_back(int32_t(Subscript::all));
      if (parser.parseInteger(size))
        return failure();
      sizeList.push_back(size);
      return success();
    }
    bool each = succeeded(parser.parseOptionalKeyword("each"));
    if (parser.parseOperand(operand))
      return failure();
    subscripts.push_back(operand);
    Subscript kind = Subscript::point;
    Type type = b.getIndexType();
    if (each) {
      if (parser.parseKeyword("for") || parser.parseInteger(size))
        return failure();
      kind = Subscript::each;
      type = RankedTensorType::get({size}, b.getI32Type());
      if (succeeded(parser.parseOptionalKeyword("as")) && parser.parseType(type)) // carries a layout
        return failure();
    } else if (succeeded(parser.parseOptionalKeyword("for"))) {
      if (parser.parseInteger(size))
        return failure();
      kind = Subscript::whole;
      if (succeeded(parser.parseOptionalKeyword("until"))) {
        if (parser.parseOperand(operand))
          return failure();
        subscripts.push_back(operand);
        types.push_back(type);
        kind = Subscript::range;
      }
    }
    types.push_back(type);
    kindList.push_back(int32_t(kind));
    sizeList.push_back(size);
    return success();
  };
  if (parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Square, parseOne))
    return failure();
  kinds = b.getDenseI32ArrayAttr(kindList);
  sizes = b.getDenseI64ArrayAttr(sizeList);
  return success();
}

static void printSubscripts(OpAsmPrinter &printer, Operation *, OperandRange subscripts, TypeRange types,
                            DenseI32ArrayAttr kinds, DenseI64ArrayAttr sizes) {
  unsigned next = 0;
  printer << "[";
  for (auto [axis, kind] : llvm::enumerate(kinds.asArrayRef())) {
    if (axis)
      printer << ", ";
    int64_t size = sizes[axis];
    switch (Subscript(kind)) {
    case Subscript::point:
      printer << subscripts[next++];
      break;
    case Subscript::range:
      printer << subscripts[next] << " for " << size << " until " << subscripts[next + 1];
      next += 2;
      break;
    case Subscript::whole:
      printer << subscripts[next++] << " for " << size;
      break;
    case Subscript::all:
      printer << "all " << size;
      break;
    case Subscript::each:
      printer << "each " << subscripts[next] << " for " << size;
      if (auto type = dyn_cast<RankedTensorType>(types[next]); type && type.getEncoding())
        printer << " as " << type;
      ++next;
      break;
    }
  }
  printer << "]";
}

#define GET_OP_CLASSES
#include "compiler/tile/ops.cpp.inc"

static ArrayRef<int64_t> shapeOf(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? tensor.getShape() : ArrayRef<int64_t>{};
}
static Type elementOf(Type type) { return getElementTypeOrSelf(type); }

template <class Op> static SmallVector<int64_t> subscripted(Op op) {
  SmallVector<int64_t> shape;
  bool gathered = false;
  for (auto [axis, kind] : llvm::enumerate(op.getKinds())) {
    Subscript subscript = Subscript(kind);
    if (subscript == Subscript::point || (subscript == Subscript::each && std::exchange(gathered, true)))
      continue;
    shape.push_back(op.getSizes()[axis]);
  }
  return shape;
}

template <class Op> static LogicalResult verifyAccess(Op op, Type value, int64_t unitsPerLastAxis) {
  ViewType view = op.getView().getType();
  size_t rank = view.getShape().size();
  if (op.getKinds().size() != rank || op.getSizes().size() != rank)
    return op.emitOpError() << "subscripts a rank-" << rank << " view with " << op.getKinds().size() << " subscripts";
  unsigned next = 0;
  auto types = op.getSubscripts().getTypes();
  for (auto [axis, kind] : llvm::enumerate(op.getKinds())) {
    if (kind < 0 || kind > int32_t(Subscript::each))
      return op.emitOpError() << "axis " << axis << " has an unknown subscript kind " << kind;
    Subscript subscript = Subscript(kind);
    unsigned count = subscript == Subscript::all ? 0 : subscript == Subscript::range ? 2 : 1;
    if (next + count > types.size())
      return op.emitOpError() << "has too few subscript operands";
    for (unsigned i = 0; i < count; ++i, ++next) {
      auto gather = dyn_cast<RankedTensorType>(types[next]);
      bool wanted = subscript == Subscript::each
                        ? gather && gather.getElementType().isInteger(32) && gather.getRank() == 1 &&
                              gather.getDimSize(0) == op.getSizes()[axis]
                        : types[next].isIndex();
      if (!wanted)
        return op.emitOpError() << "axis " << axis << " has a subscript of type " << types[next];
    }
    if (subscript == Subscript::all && view.getShape()[axis] != op.getSizes()[axis])
      return op.emitOpError() << "takes all " << op.getSizes()[axis] << " of axis " << axis << ", whose size is "
                              << (ShapedType::isDynamic(view.getShape()[axis]) ? "symbolic" : "another constant");
  }
  if (next != types.size())
    return op.emitOpError() << "has too many subscript operands";
  SmallVector<int64_t> shape = op.subscriptedShape();
  if (unitsPerLastAxis > 1) {
    if (shape.empty() || shape.back() % unitsPerLastAxis)
      return op.emitOpError() << "reads part of a block of " << unitsPerLastAxis;
    shape.back() /= unitsPerLastAxis;
  }
  if (ArrayRef<int64_t>(shape) != shapeOf(value))
    return op.emitOpError() << "moves a value of type " << value << " where the subscripts select another shape";
  if (Value mask = op.getMask()) {
    auto type = cast<RankedTensorType>(mask.getType());
    if (!type.getElementType().isInteger(1) || type.getShape() != shapeOf(value))
      return op.emitOpError() << "has a mask of type " << type << " for a value of type " << value;
  }
  return success();
}

SmallVector<int64_t> LoadOp::subscriptedShape() { return subscripted(*this); }
SmallVector<int64_t> StoreOp::subscriptedShape() { return subscripted(*this); }
SmallVector<int64_t> AtomicAddOp::subscriptedShape() { return subscripted(*this); }
SmallVector<int64_t> CopyOp::subscriptedShape() { return subscripted(*this); }

LogicalResult LoadOp::verify() {
  Type element = getView().getType().getElementType(), loaded = elementOf(getResult().getType());
  auto packed = dyn_cast<PackedType>(element);
  if (bool(packed) != getComponent().has_value())
    return emitOpError("needs a component exactly when the view is packed");
  if (!packed) {
    if (element != loaded)
      return emitOpError() << "loads " << loaded << " from a view of " << element;
    return verifyAccess(*this, getResult().getType(), 1);
  }
  const Panel &panel = *panelOf(getView().getType());
  const PackedFormat &row = panel.format;
  Component component = *getComponent();
  bool outer = component == Component::superScales || component == Component::superMins;
  if (((component == Component::mins || component == Component::superMins) && !row.hasMin) ||
      (outer && !row.twoLevels()) || (row.isValues() && component != Component::codes) ||
      (component == Component::highWords && !panel.find(PanelArray::highCodes)))
    return emitOpError() << packed.getFormat() << " has no " << stringifyComponent(component);
  tessera::DType stored = component == Component::codes ? row.element
                          : isWords(component)          ? tessera::i32
                          : outer                       ? tessera::f16
                                                        : row.scale;
  const tessera::DTypeInfo &want = tessera::info(stored);
  bool fits =
      want.isFloat ? isa<FloatType>(loaded) && loaded.isBF16() == (stored == tessera::bf16) : isa<IntegerType>(loaded);
  if (!fits || int(loaded.getIntOrFloatBitWidth()) != want.bits)
    return emitOpError() << "loads " << stringifyComponent(component) << " of " << packed.getFormat() << " as "
                         << loaded;
  int64_t columns = getSizes().back();
  int64_t unit = columnsAnElement(panel, component, columns);
  return verifyAccess(*this, getResult().getType(), unit);
}

template <class Op> static LogicalResult verifyWrite(Op op) {
  Type element = op.getView().getType().getElementType(), stored = elementOf(op.getValue().getType());
  if (element != stored)
    return op.emitOpError() << "writes " << stored << " into a view of " << element;
  return verifyAccess(op, op.getValue().getType(), 1);
}
LogicalResult CopyOp::verify() {
  auto type = dyn_cast<RankedTensorType>(getTile());
  if (!type || type.getElementType() != getView().getType().getElementType())
    return emitOpError() << "copies " << getTile() << " from a view of " << getView().getType().getElementType();
  return verifyAccess(*this, type, 1);
}
LogicalResult StoreOp::verify() { return verifyWrite(*this); }
LogicalResult AtomicAddOp::verify() { return verifyWrite(*this); }

LogicalResult IotaOp::verify() {
  auto type = cast<RankedTensorType>(getResult().getType());
  if (type.getRank() != 1 || !type.getElementType().isInteger(32))
    return emitOpError("yields a rank-1 tile of i32");
  return success();
}

LogicalResult SplatOp::verify() {
  if (getValue().getType() != elementOf(getResult().getType()))
    return emitOpError() << "splats " << getValue().getType() << " into " << getResult().getType();
  return success();
}

LogicalResult BroadcastOp::verify() {
  auto from = shapeOf(getValue().getType()), to = shapeOf(getResult().getType());
  bool fits = from.size() <= to.size() && elementOf(getValue().getType()) == elementOf(getResult().getType());
  for (size_t i = 0; fits && i < from.size(); ++i) {
    int64_t extent = from[from.size() - 1 - i];
    fits = extent == 1 || extent == to[to.size() - 1 - i];
  }
  if (!fits)
    return emitOpError() << "cannot stretch " << getValue().getType() << " to " << getResult().getType();
  return success();
}

LogicalResult ReshapeOp::verify() {
  auto from = cast<RankedTensorType>(getValue().getType()), to = cast<RankedTensorType>(getResult().getType());
  if (from.getNumElements() != to.getNumElements() || from.getElementType() != to.getElementType())
    return emitOpError() << "cannot reshape " << from << " to " << to;
  return success();
}

LogicalResult TransOp::verify() {
  auto from = cast<RankedTensorType>(getValue().getType()), to = cast<RankedTensorType>(getResult().getType());
  if (from.getRank() != 2 || to.getRank() != 2 || from.getDimSize(0) != to.getDimSize(1) ||
      from.getDimSize(1) != to.getDimSize(0) || from.getElementType() != to.getElementType())
    return emitOpError() << "cannot transpose " << from << " to " << to;
  return success();
}

LogicalResult DotOp::verify() {
  auto a = cast<RankedTensorType>(getLhs().getType()), b = cast<RankedTensorType>(getRhs().getType()),
       c = cast<RankedTensorType>(getAcc().getType());
  if (a.getRank() != 2 || b.getRank() != 2 || c.getRank() != 2 || a.getDimSize(1) != b.getDimSize(0) ||
      a.getDimSize(0) != c.getDimSize(0) || b.getDimSize(1) != c.getDimSize(1))
    return emitOpError() << "multiplies " << a << " by " << b << " into " << c;
  Type ea = a.getElementType(), eb = b.getElementType(), ec = c.getElementType();
  bool floats = ea == eb && isa<FloatType>(ea) && ec.isF32();
  bool ints = ea == eb && (ea.isInteger(8) || ea.isInteger(32)) && ec.isInteger(32);
  if (!floats && !ints)
    return emitOpError() << "has no meaning for " << ea << " x " << eb << " -> " << ec;
  return success();
}

template <class Op> static LogicalResult verifyReduction(Op op) {
  auto from = cast<RankedTensorType>(op.getValue().getType()), to = cast<RankedTensorType>(op.getResult().getType());
  int64_t axis = op.getAxis();
  if (axis < 0 || axis >= from.getRank())
    return op.emitOpError() << "reduces axis " << axis << " of a rank-" << from.getRank() << " tile";
  SmallVector<int64_t> shape(from.getShape());
  shape[axis] = 1;
  if (ArrayRef<int64_t>(shape) != to.getShape())
    return op.emitOpError() << "keeps the reduced axis with extent 1: " << from << " to " << to;
  return success();
}
LogicalResult ReduceOp::verify() {
  if (elementOf(getValue().getType()) != elementOf(getResult().getType()))
    return emitOpError("keeps the element type");
  return verifyReduction(*this);
}
LogicalResult ArgMaxOp::verify() {
  if (!elementOf(getResult().getType()).isInteger(32))
    return emitOpError("yields i32");
  return verifyReduction(*this);
}

LogicalResult ScanOp::verify() {
  if (int64_t(getAxis()) < 0 || int64_t(getAxis()) >= cast<RankedTensorType>(getValue().getType()).getRank())
    return emitOpError() << "scans axis " << getAxis() << ", which the tile lacks";
  return success();
}

LogicalResult ConvertOp::verify() {
  auto from = cast<RankedTensorType>(getValue().getType()), to = cast<RankedTensorType>(getResult().getType());
  if (from.getShape() != to.getShape() || from.getElementType() != to.getElementType())
    return emitOpError() << "changes more than the layout: " << from << " to " << to;
  return success();
}
