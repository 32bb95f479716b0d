// The parts of the tracer that build MLIR, declared without MLIR's headers.
#pragma once
#include "dsl/builder.h"

namespace mlir {
class Block;
class Location;
class OpBuilder;
} // namespace mlir

namespace tessera::dsl {

// Whether arithmetic on it respects a sign: i8, i32, i64.
bool isSigned(DType dtype);

// One element-wise operation on operands of dtype `operands`.
Handle emitElement(mlir::OpBuilder &b, mlir::Location at, Element op, DType operands, std::span<const Handle> values);

// Moves a block's operations, and those of its regions, into their canonical order and drops what nothing needs.
void orderCanonically(mlir::Block &block);

} // namespace tessera::dsl
