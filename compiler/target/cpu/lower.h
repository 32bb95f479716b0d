// Lowers a kernel with layouts to CPU vectors: every tile becomes one SSA value a register, every kernel a function
// `void entry(const int64_t *args, int64_t begin, int64_t end)` that runs the programs [begin, end).
//
// A register with lanes is vector<lanes x T>, one without is a T; sizes and positions (`index`) become i64. Files:
// lower.cpp (structure and dots), lower_access.cpp (memory), lower_shape.cpp (moves between
// layouts), lower_reduce.cpp (reductions, scans, argmax).
#pragma once
#include "compiler/lower/lowering.h"
#include "compiler/passes/passes.h"
#include "compiler/target/cpu/access.h"

namespace tessera::cpu {

class CpuLowering final : public Lowering {
public:
  using Lowering::Lowering;
  mlir::LogicalResult run() override;

private:
  mlir::Value nothing; // pointer to zeros, one vector long: what a load outside its bounds reads instead
  mlir::Value sink;    // pointer to one vector of scratch: where a store outside its bounds goes instead

  // lower.cpp
  mlir::Type registerType(mlir::Type type) override;
  mlir::LogicalResult lowerTile(mlir::Operation *op) override;
  void bindArguments(mlir::Value args);
  mlir::LogicalResult bindPrograms(mlir::Value number);
  void lowerScratch(tile::ScratchOp op);
  void lowerIota(tile::IotaOp op);
  void lowerDot(tile::DotOp op);

  // lower_access.cpp
  struct Address; // of one access: what all its registers share
  Address addressOf(mlir::Operation *access, tile::ViewType view, mlir::Value viewValue);
  mlir::Value gatheredIndex(Address &a, int axis, int64_t element, mlir::Location loc);
  mlir::Value elementPointer(Address &a, const Coordinate &at, mlir::Type element, mlir::Location loc);
  // Where a plane's bits of one element of a packed view lie.
  struct PackedPlace {
    mlir::Value pointer;
    int64_t shift;               // of the bits in that byte
    std::optional<int64_t> line; // number of the cache line from the tile's first, where the tile is whole panels
  };
  PackedPlace packedPointer(Address &a, tile::LoadOp op, int plane, const Coordinate &at);
  void prefetch(mlir::Value pointer, mlir::Location loc);
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
  void lowerMove(mlir::Value source, mlir::Value result, llvm::function_ref<Coordinate(Coordinate)> map) override;

  // lower_reduce.cpp
  void lowerReduce(tile::ReduceOp op);
  void lowerScan(tile::ScanOp op);
  void lowerArgMax(tile::ArgMaxOp op);
};

} // namespace tessera::cpu
