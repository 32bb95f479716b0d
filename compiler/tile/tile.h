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
                                     scaledAttr = "tile.scaled", nameAttr = "tile.name", accessAttr = "tile.access",
                                     extentsAttr = "tile.extents";
// On a kernel for a GPU: how many warps run it (i64), how many bytes of shared memory it takes (i64), and that every
// base and row pitch is a multiple of 16 bytes (unit).
inline constexpr llvm::StringLiteral warpsAttr = "tile.warps", sharedAttr = "tile.shared", alignedAttr = "tile.aligned";
inline constexpr llvm::StringLiteral alignedSuffix = "_aligned";
// The symbol of a lowered GPU kernel's shared memory.
inline constexpr llvm::StringLiteral sharedSymbol = "tessera_shared";

} // namespace tessera::tile
