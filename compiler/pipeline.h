// The whole lowering, one named stage per function, readable top to bottom in pipeline.cpp.
#pragma once
#include "base/target.h"
#include "compiler/compile.h"
#include "mlir/Pass/PassManager.h"

namespace tessera {

// Tile IR: fold, check, split edges, peel loops. What is left is still the user's algorithm.
void addTileStage(mlir::OpPassManager &pm, const Target &target, const Schedule &schedule);
// Every tile gets a layout.
void addLayoutStage(mlir::OpPassManager &pm, const Target &target, const Schedule &schedule);
// Layouts become vectors, then the llvm dialect.
void addLoweringStage(mlir::OpPassManager &pm, const Target &target);

// Registers our passes, and the stages above as pipelines tessera-tile, tessera-layout and tessera-lower, for
// tessera-opt.
void registerTesseraPasses();

} // namespace tessera
