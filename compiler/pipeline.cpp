#include "compiler/pipeline.h"
#include "compiler/passes/passes.h"
#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/FuncToLLVM/ConvertFuncToLLVMPass.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/ReconcileUnrealizedCasts/ReconcileUnrealizedCasts.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVMPass.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tessera {

void addTileStage(OpPassManager &pm, const Target &target, const Schedule &schedule) {
  std::string name(target.name);
  if (target.vendor != Vendor::cpu)
    pm.addPass(createTileAlignVariant());
  pm.addNestedPass<func::FuncOp>(createTileCheckSizes({name}));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  if (schedule.splitEdges)
    pm.addNestedPass<func::FuncOp>(createTileSplitEdges());
  if (schedule.peelLoops)
    pm.addNestedPass<func::FuncOp>(createTilePeelLoops());
}

void addLayoutStage(OpPassManager &pm, const Target &target, const Schedule &schedule) {
  std::string name(target.name);
  pm.addNestedPass<func::FuncOp>(createTileLegalizeDots({name}));
  pm.addPass(createCSEPass());
  if (target.vendor == Vendor::cpu) {
    pm.addNestedPass<func::FuncOp>(createTileLoopDots({name}));
    pm.addNestedPass<func::FuncOp>(createTileAssignLayouts({name}));
    pm.addNestedPass<func::FuncOp>(createTileVerifyLayouts());
    return;
  }
  pm.addNestedPass<func::FuncOp>(createTilePromoteSums({name, schedule.warps}));
  pm.addNestedPass<func::FuncOp>(createTileWalkGrid({name, schedule.raster, schedule.persistent}));
  pm.addNestedPass<func::FuncOp>(createTileAssignGpuLayouts({name, schedule.warps}));
  pm.addNestedPass<func::FuncOp>(createTileVerifyLayouts());
  pm.addNestedPass<func::FuncOp>(createTileCheckRegisters({name}));
  pm.addNestedPass<func::FuncOp>(createTileStageShared());
  pm.addNestedPass<func::FuncOp>(createTileSpecializeWarps({name, schedule.stages}));
  pm.addNestedPass<func::FuncOp>(createTileStoreTensors({name}));
  pm.addNestedPass<func::FuncOp>(createTilePipeline({name, schedule.stages}));
  pm.addNestedPass<func::FuncOp>(createTileChooseSwizzles({name}));
  pm.addNestedPass<func::FuncOp>(createTileLimitRegisters({name}));
  if (schedule.peelLoops)
    pm.addNestedPass<func::FuncOp>(createTileSplitMasks());
  pm.addNestedPass<func::FuncOp>(createTilePlaceShared({name}));
  pm.addNestedPass<func::FuncOp>(createTileInsertBarriers());
}

void addLoweringStage(OpPassManager &pm, const Target &target) {
  std::string name(target.name);
  if (target.vendor == Vendor::cpu)
    pm.addPass(createTileLowerCpu({name}));
  else
    pm.addPass(createTileLowerGpu({name}));
  pm.addNestedPass<func::FuncOp>(createExpandMath({name}));
  pm.addPass(createCSEPass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createVerifyLowered());
  if (target.vendor != Vendor::cpu)
    pm.addPass(createLineInfo());
}

void registerTesseraPasses() { registerTilePasses(); }

} // namespace tessera
