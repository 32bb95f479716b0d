#include "base/dtype.h"
#include "compiler/tile/roles.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tessera::tile;

#include "compiler/tile/dialect.cpp.inc"
#include "compiler/tile/enums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "compiler/tile/attributes.cpp.inc"
#define GET_TYPEDEF_CLASSES
#include "compiler/tile/types.cpp.inc"

void TileDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "compiler/tile/attributes.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "compiler/tile/types.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "compiler/tile/ops.cpp.inc"
      ,
#define GET_OP_LIST
#include "compiler/tile/role_ops.cpp.inc"
      >();
}

// !tile.view<?x64xf16>
Type ViewType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  if (parser.parseLess() || parser.parseDimensionList(shape) || parser.parseType(element) || parser.parseGreater())
    return {};
  return get(parser.getContext(), shape, element);
}

void ViewType::print(AsmPrinter &printer) const {
  printer << "<";
  printer.printDimensionList(getShape());
  printer << (getShape().empty() ? "" : "x") << getElementType() << ">";
}

// !tile.shared<3 of 128x32xf16>, !tile.shared<1 of 128x32xf16, swizzle = [0, 0, 1, 2]>
Type SharedType::parse(AsmParser &parser) {
  int64_t slots = 0;
  SmallVector<int64_t> shape, swizzle;
  Type element;
  if (parser.parseLess() || parser.parseInteger(slots) || parser.parseKeyword("of") ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) || parser.parseType(element))
    return {};
  if (succeeded(parser.parseOptionalComma()) && (parser.parseKeyword("swizzle") || parser.parseEqual() ||
                                                 parser.parseCommaSeparatedList(AsmParser::Delimiter::Square, [&] {
                                                   return parser.parseInteger(swizzle.emplace_back());
                                                 })))
    return {};
  if (parser.parseGreater())
    return {};
  return get(parser.getContext(), slots, shape, element, swizzle);
}

void SharedType::print(AsmPrinter &printer) const {
  printer << "<" << getSlots() << " of ";
  printer.printDimensionList(getShape());
  printer << (getShape().empty() ? "" : "x") << getElementType();
  if (!getSwizzle().empty())
    printer << ", swizzle = [" << getSwizzle() << "]";
  printer << ">";
}

LogicalResult PackedType::verify(function_ref<InFlightDiagnostic()> emitError, StringRef format) {
  auto dtype = tessera::dtypeByName(std::string_view(format.data(), format.size()));
  if (!dtype || !tessera::isPacked(*dtype))
    return emitError() << "'" << format << "' is not a packed format";
  return success();
}
