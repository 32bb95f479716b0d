// What lowering a kernel with layouts has in common on every target: a tile becomes SSA values, one a register;
// control flow, constants and element-wise operations map register by register. A target says what a register is
// (a vector with lanes on a CPU, one element of each thread on a GPU) and lowers memory, dots, moves and reductions.
#pragma once
#include "base/target.h"
#include "compiler/tile/layouts.h"
#include "compiler/tile/tile.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace tessera {

using Registers = llvm::SmallVector<mlir::Value>;

class Lowering {
public:
  Lowering(mlir::func::FuncOp kernel, const Target &target)
      : kernel(kernel), target(target), located(kernel.getContext()), b(kernel.getContext(), &located) {}
  virtual ~Lowering() = default;

  // Replaces the kernel by its lowered function of the same name. Emits errors at the user's lines.
  virtual mlir::LogicalResult run() = 0;

protected:
  // What an operation's lowering creates has its line, unless it was given one of its own.
  struct Located : mlir::OpBuilder::Listener {
    explicit Located(mlir::MLIRContext *context) : line(mlir::UnknownLoc::get(context)) {}
    void notifyOperationInserted(mlir::Operation *op, mlir::OpBuilder::InsertPoint) override {
      if (mlir::isa<mlir::UnknownLoc>(op->getLoc()))
        op->setLoc(line);
    }
    mlir::Location line; // of the operation that is being lowered
  };

  mlir::func::FuncOp kernel;
  const Target &target;
  Located located;
  mlir::OpBuilder b;
  llvm::DenseMap<mlir::Value, Registers> registers; // of every lowered tile and scalar
  llvm::DenseMap<mlir::Value, Registers> extents;   // of every view: i64 sizes
  llvm::StringMap<mlir::Value> dims;

  // The type of one register of a tile, or of a scalar; sizes and positions (`index`) are i64.
  virtual mlir::Type registerType(mlir::Type type) = 0;
  // Operations of the tile dialect that are not the same everywhere.
  virtual mlir::LogicalResult lowerTile(mlir::Operation *op) = 0;
  // Operations of other dialects, register by register.
  virtual mlir::LogicalResult lowerElementwise(mlir::Operation *op);

  // A tile as a loop carries it, and the tile again from the values carried: its registers, if a target has nothing
  // better.
  virtual Registers carriedOf(mlir::Value tile) { return regs(tile); }
  virtual Registers heldOf(mlir::Type, mlir::ValueRange carried) { return {carried.begin(), carried.end()}; }

  // result element at a coordinate = source element at map(coordinate).
  virtual void lowerMove(mlir::Value source, mlir::Value result, llvm::function_ref<Coordinate(Coordinate)> map) = 0;

  // Binds one kernel argument, given its value in the lowered function: a pointer, a size or a scalar.
  void bindArgument(mlir::BlockArgument argument, mlir::Value value);
  // The kernel's grid axes in ascending order, with the sizes they run over as i64; null for a computed size of the
  // slowest axis.
  mlir::LogicalResult gridAxes(llvm::SmallVectorImpl<std::pair<tile::ProgramOp, mlir::Value>> &axes);
  mlir::LogicalResult lowerBlock(mlir::Block &block);

  int64_t registerCount(mlir::Type type);
  Registers flat(mlir::ValueRange values); // the registers of several values, one after another
  Registers &regs(mlir::Value value) { return registers.find(value)->second; }
  mlir::Value scalar(mlir::Value value) { return regs(value).front(); }
  mlir::Value constantI64(int64_t value);
  mlir::Value splat(mlir::Value scalar, mlir::Type registerType); // identity where the register is a scalar

private:
  mlir::LogicalResult lowerOp(mlir::Operation *op);
  mlir::LogicalResult lowerFor(mlir::scf::ForOp op);
  mlir::LogicalResult lowerIf(mlir::scf::IfOp op);
  void lowerConstant(mlir::arith::ConstantOp op);
  void lowerBroadcast(tile::BroadcastOp op);
  void lowerReshape(tile::ReshapeOp op);
  void lowerTrans(tile::TransOp op);
  void lowerConvert(tile::ConvertOp op);
};

// What a register holds of an element type: itself, or for 8-bit floats, which are only stored and converted, their
// bits.
mlir::Type heldType(mlir::Type element);

// `x + y`, or the larger: the machine's `x > y ? x : y` for floats.
mlir::Value combine(mlir::OpBuilder &b, mlir::Location loc, tile::ReduceKind kind, mlir::Value x, mlir::Value y);

// A binary tree over the entries: neighbours first.
template <class T, class Combine> T combineTree(llvm::SmallVector<T> entries, Combine combine) {
  while (entries.size() > 1) {
    llvm::SmallVector<T> next;
    for (size_t i = 0; i + 1 < entries.size(); i += 2)
      next.push_back(combine(entries[i], entries[i + 1]));
    if (entries.size() % 2)
      next.push_back(entries.back());
    entries = std::move(next);
  }
  return entries[0];
}

// The registers of `layout` grouped by their coordinate with `axis` taken out (as registers of `reduced`), in
// ascending order along the axis.
llvm::SmallVector<llvm::SmallVector<int64_t>> groupsAlong(const Layout &layout, int axis, const Layout &reduced);

} // namespace tessera
