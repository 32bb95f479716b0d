// The tile dialect: !tile.view, #tile.layout and the tile.* operations.
#pragma once
#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "compiler/tile/dialect.h.inc"
#include "compiler/tile/enums.h.inc"
#define GET_ATTRDEF_CLASSES
#include "compiler/tile/attributes.h.inc"
#define GET_TYPEDEF_CLASSES
#include "compiler/tile/types.h.inc"
#define GET_OP_CLASSES
#include "compiler/tile/ops.h.inc"

namespace tessera::tile {

// Names of the attributes that make a func.func a kernel.
inline constexpr llvm::StringLiteral kernelAttr = "tile.kernel", dimAttr = "tile.dim", divisorAttr = "tile.divisor",
                                     nameAttr = "tile.name", accessAttr = "tile.access", extentsAttr = "tile.extents";

} // namespace tessera::tile
