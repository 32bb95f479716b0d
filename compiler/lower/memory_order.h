// The order in which memory has the elements of a tile that is loaded or stored, as a layout: what the widths of all
// accesses, on every target, are divided out of.
#pragma once
#include "compiler/layout/layout.h"
#include "mlir/IR/Operation.h"

namespace tessera {

// A layout of one thread, over the coordinates of the access's tile: its registers are the elements that are known to
// lie side by side, from any element on whose coordinate is a multiple of the layout's block. Of a plain tensor these
// are neighbours along its last axis, of a packed one the order of its panels (compiler/layout/panels.h), rows as far
// as the origin is known to be aligned.
Layout memoryOrder(mlir::Operation *access);

} // namespace tessera
