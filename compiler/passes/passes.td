// Passes of the pipeline, in the order in which compiler/pipeline.cpp runs them.
#ifndef TESSERA_PASSES
#define TESSERA_PASSES
include "mlir/Pass/PassBase.td"

class Tile_Pass<string name> : Pass<name, "::mlir::func::FuncOp"> {
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect"];
}

def TileCheckSizes : Tile_Pass<"tile-check-sizes"> {
  let summary = "refuse tiles and dots that the target cannot hold";
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "row of base/targets.cpp">];
}
def TileSplitEdges : Tile_Pass<"tile-split-edges"> {
  let summary = "one body without masks for programs inside the tensors, one with masks for those at an edge";
}
def TilePeelLoops : Tile_Pass<"tile-peel-loops"> {
  let summary = "a loop without masks for whole steps, then one masked step for the rest";
}
def TileAlignVariant : Pass<"tile-align-variant", "::mlir::ModuleOp"> {
  let summary = "beside each kernel one whose tensors and rows start at multiples of 16 bytes";
}
def TileLegalizeDots : Tile_Pass<"tile-legalize-dots"> {
  let summary = "widen dot operands to types that one of the target's matrix operations multiplies";
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "row of base/targets.cpp">];
}
def TilePromoteSums : Tile_Pass<"tile-promote-sums"> {
  let summary = "sums of 8-bit floats are taken out of tensor cores that keep few of their bits, every few steps of k";
  let options = [Option<"target", "target", "std::string", "\"h100\"", "row of base/targets.cpp">,
                 Option<"warps", "warps", "int", "0", "warps a block; 0: from the kernel's tiles">];
}
def TileLoopDots : Tile_Pass<"tile-loop-dots"> {
  let summary = "dots that would unroll into too many instructions become loops over k";
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "row of base/targets.cpp">];
}
def TileAssignLayouts : Tile_Pass<"tile-assign-layouts"> {
  let summary = "give every tile a layout, and convert where a dot wants another";
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "row of base/targets.cpp">];
}
def TileWalkGrid : Tile_Pass<"tile-walk-grid"> {
  let summary = "the order in which a GPU's programs run over the grid: a product's in groups of rows; few blocks that take all";
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">,
                 Option<"raster", "raster", "int", "0", "rows of a group; 0: the target's; 1: none">,
                 Option<"persistent", "persistent", "int", "0", "blocks a multiprocessor that take all programs; 0: none">];
}
def TileAssignGpuLayouts : Tile_Pass<"tile-assign-gpu-layouts"> {
  let summary = "spread every tile over a block's threads, and convert where a dot or a wide store wants another layout";
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">,
                 Option<"warps", "warps", "int", "0", "warps a block; 0: from the kernel's tiles">];
}
def TileCheckRegisters : Tile_Pass<"tile-check-registers"> {
  let summary = "refuse tiles that a thread's registers cannot hold, and kernels that unroll too far";
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">];
}
def TileStageShared : Tile_Pass<"tile-stage-shared"> {
  let summary = "conversions that cross threads become a store and a load of shared memory";
}
def TileSpecializeWarps : Tile_Pass<"tile-specialize-warps"> {
  let summary = "warps that only copy a loop's operands, box by box, beside warps that multiply them by wgmma";
  let options = [Option<"target", "target", "std::string", "\"h100\"", "row of base/targets.cpp">,
                 Option<"stages", "stages", "int", "0", "steps in shared memory at once; 0: the target's; 1: none ahead">];
}
def TileStoreTensors : Tile_Pass<"tile-store-tensors"> {
  let summary = "what goes to a tensor through shared memory is written box by box by the copy engine";
  let options = [Option<"target", "target", "std::string", "\"h100\"", "row of base/targets.cpp">];
}
def TilePipeline : Tile_Pass<"tile-pipeline"> {
  let summary = "a loop's operands of dots are brought to shared memory steps ahead of their use";
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">,
                 Option<"stages", "stages", "int", "0", "steps in shared memory at once; 0: the target's; 1: none ahead">];
}
def TileChooseSwizzles : Tile_Pass<"tile-choose-swizzles"> {
  let summary = "shared buffers whose warps meet a bank twice get a swizzle for what they walk";
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">];
}
def TileSplitMasks : Tile_Pass<"tile-split-masks"> {
  let summary = "a loop without masks for the first steps of a product's loop, where they hide nothing, then one with them";
}
def TileLimitRegisters : Tile_Pass<"tile-limit-registers"> {
  let summary = "a bound on the registers of a loop that multiplies what it multiplied, from what it holds";
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">];
}
def TilePlaceShared : Tile_Pass<"tile-place-shared"> {
  let summary = "give shared buffers their offsets; those that never live together share space";
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">];
}
def TileInsertBarriers : Tile_Pass<"tile-insert-barriers"> {
  let summary = "barriers where one thread would read or overwrite what another touches";
}
def TileLowerGpu : Pass<"tile-lower-gpu", "::mlir::ModuleOp"> {
  let summary = "tiles become the elements that one thread holds; a kernel becomes a function of one thread";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
  let options = [Option<"target", "target", "std::string", "\"t4\"", "row of base/targets.cpp">];
}
def TileVerifyLayouts : Tile_Pass<"tile-verify-layouts"> {
  let summary = "every tile has a layout that covers it, and element-wise operands agree";
}
def TileLowerCpu : Pass<"tile-lower-cpu", "::mlir::ModuleOp"> {
  let summary = "tiles become vector registers; a kernel becomes a function over a range of programs";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::math::MathDialect", "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "row of base/targets.cpp">];
}
def ExpandMath : Tile_Pass<"expand-math"> {
  let summary = "elementary functions and half conversions that the target lacks, as polynomials and bit arithmetic";
  let options = [Option<"target", "target", "std::string", "\"cpu\"", "row of base/targets.cpp">];
}
def VerifyLowered : Pass<"tessera-verify-lowered", "::mlir::ModuleOp"> {
  let summary = "nothing is left that the llvm dialect does not hold";
}
def LineInfo : Pass<"tessera-line-info", "::mlir::ModuleOp"> {
  let summary = "the user's lines in the form that LLVM writes as .file and .loc directives";
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}
#endif
