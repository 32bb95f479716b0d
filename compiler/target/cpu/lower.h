// Lowers a kernel with layouts to CPU vectors: every tile becomes one SSA value a register, every kernel a function
// `void entry(const int64_t *args, int64_t begin, int64_t end)` that runs the programs [begin, end).
//
// A register with lanes is vector<lanes x T>, one without is a T; sizes and positions (`index`) become i64. Files:
// lower.cpp (structure and element-wise operations), lower_access.cpp (memory), lower_shape.cpp (moves between
// layouts), lower_reduce.cpp (reductions, scans, argmax).
#pragma once
#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/target/cpu/access.h"
#include "compiler/tile/layouts.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace tessera::cpu {

using Registers = llvm::SmallVector<mlir::Value>;

class Lowering {
public:
  Lowering(mlir::func::FuncOp kernel, const Target &target) : kernel(kernel), target(target), b(kernel.getContext()) {}

  // Replaces the kernel by its lowered function of the same name. Emits errors at the user's lines.
  mlir::LogicalResult run();

private:
  mlir::func::FuncOp kernel;
  const Target &target;
  mlir::OpBuilder b;
  llvm::DenseMap<mlir::Value, Registers> registers; // of every lowered tile and scalar
  llvm::DenseMap<mlir::Value, Registers> extents;   // of every view: i64 sizes
  llvm::StringMap<mlir::Value> dims;
  mlir::Value nothing; // pointer to zeros, one vector long: what a load outside its bounds reads instead
  mlir::Value sink;    // pointer to one vector of scratch: where a store outside its bounds goes instead

  // lower.cpp
  void bindArguments(mlir::Value args);
  mlir::LogicalResult bindPrograms(mlir::Value number);
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lowerOp(mlir::Operation *op);
  mlir::LogicalResult lowerElementwise(mlir::Operation *op);
  mlir::LogicalResult lowerFor(mlir::scf::ForOp op);
  mlir::LogicalResult lowerIf(mlir::scf::IfOp op);
  void lowerConstant(mlir::arith::ConstantOp op);
  void lowerIota(tile::IotaOp op);
  void lowerDot(tile::DotOp op);

  mlir::Type registerType(mlir::Type type); // of one register of a tile, or of a scalar
  int64_t registerCount(mlir::Type type);
  Registers flat(mlir::ValueRange values); // the registers of several values, one after another
  Registers &regs(mlir::Value value) { return registers.find(value)->second; }
  mlir::Value scalar(mlir::Value value) { return regs(value).front(); }
  mlir::Value constantI64(int64_t value);
  mlir::Value splat(mlir::Value scalar, mlir::Type registerType); // identity where the register is a scalar

  // lower_access.cpp
  struct Address; // of one access: what all its registers share
  Address addressOf(mlir::Operation *access, tile::ViewType view, mlir::Value viewValue);
  mlir::Value gatheredIndex(Address &a, int axis, int64_t element, mlir::Location loc);
  mlir::Value elementPointer(Address &a, const Coordinate &at, mlir::Type element, mlir::Location loc);
  std::pair<mlir::Value, int64_t> packedPointer(Address &a, tile::LoadOp op, const Coordinate &at);
  struct Guard; // when the lanes of a register may be accessed
  Guard guard(Address &a, const Layout &layout, int64_t r, bool packed, mlir::Location loc);
  Guard laneGuard(const Guard &guard, int64_t lane, mlir::Location loc);
  mlir::Value guardedLoad(mlir::Type type, mlir::Value pointer, const Guard &guard, mlir::Location loc);
  void guardedStore(mlir::Value value, mlir::Value pointer, const Guard &guard, mlir::Location loc);
  void forEachLane(mlir::Value mask, llvm::function_ref<void(mlir::Value lane)> body, mlir::Location loc);
  void lowerLoad(tile::LoadOp op);
  void lowerStore(tile::StoreOp op);
  void lowerAtomicAdd(tile::AtomicAddOp op);

  // lower_shape.cpp
  // result element (r, l) = source element (from(r, l)) where `from` answers register * lanes + lane of the source.
  Registers gather(const Registers &source, const Layout &sourceLayout, const Layout &resultLayout,
                   llvm::function_ref<int64_t(int64_t r, int64_t l)> from);
  void lowerMove(mlir::Value source, mlir::Value result, llvm::function_ref<Coordinate(Coordinate)> map);
  void lowerBroadcast(tile::BroadcastOp op);
  void lowerReshape(tile::ReshapeOp op);
  void lowerTrans(tile::TransOp op);
  void lowerConvert(tile::ConvertOp op);

  // lower_reduce.cpp
  void lowerReduce(tile::ReduceOp op);
  void lowerScan(tile::ScanOp op);
  void lowerArgMax(tile::ArgMaxOp op);
};

} // namespace tessera::cpu
