// Lowers a kernel with layouts to GPU threads: every tile becomes the elements that one thread holds, one SSA value
// each; a kernel becomes a function of its arguments that one block runs for one program. Files: lower.cpp (structure,
// thread coordinates, dots), lower_access.cpp (global memory), lower_packed.cpp (packed tensors), lower_shared.cpp
// (shared memory), lower_reduce.cpp, lower_convert.cpp (element types).
#pragma once
#include "compiler/layout/swizzle.h"
#include "compiler/lower/lowering.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <map>

namespace tessera::gpu {

class GpuLowering final : public Lowering {
public:
  using Lowering::Lowering;
  mlir::LogicalResult run() override;

private:
  mlir::Value thread;     // i32, in the block
  mlir::Value sharedBase; // !llvm.ptr<3>
  mlir::Block *entryBlock = nullptr;
  std::map<std::vector<int64_t>, mlir::Value> walks; // see walk()

  // lower.cpp
  mlir::Type registerType(mlir::Type type) override;
  mlir::LogicalResult lowerTile(mlir::Operation *op) override;
  mlir::LogicalResult lowerElementwise(mlir::Operation *op) override; // lower_convert.cpp
  void lowerMove(mlir::Value source, mlir::Value result, llvm::function_ref<Coordinate(Coordinate)> map) override;
  mlir::LogicalResult bindPrograms();
  void lowerIota(tile::IotaOp op);
  void lowerDot(tile::DotOp op);
  // Sum over the thread's bits of steps[bit], as i32; computed once, at the kernel's start. XOR where `bits` overlap is
  // the caller's business: steps must not carry into each other.
  mlir::Value walk(llvm::ArrayRef<int64_t> steps);
  // One number a thread bit: what `of` makes of the bit's basis.
  static llvm::SmallVector<int64_t> stepsOf(const Layout &layout, llvm::function_ref<int64_t(const Coordinate &)> of);
  // Whether this thread is the first of those that hold the same elements; null if every thread is.
  mlir::Value isFirstHolder(const Layout &layout);
  mlir::Value constantI32(int64_t value);
  mlir::Value widen(mlir::Value i32); // unsigned, to i64
  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);

  // lower_access.cpp
  struct Address; // of one access: what all its elements share; in address.h
  class PackedAddress;
  Address addressOf(mlir::Operation *access, const Layout &layout);
  mlir::Value positionOf(Address &a, int axis, const Coordinate &at);
  mlir::Value elementPointer(Address &a, const Coordinate &at);
  mlir::Value guardOf(Address &a, int64_t r); // i1, or null for always
  mlir::Value loadBits(mlir::Type type, mlir::Value pointer, mlir::Value guard, Address &a);
  void storeBits(mlir::Value value, mlir::Value pointer, mlir::Value guard);
  int64_t vectorLength(const Address &a, mlir::Operation *access);
  void lowerLoad(tile::LoadOp op);
  void lowerStore(tile::StoreOp op);
  void lowerAtomicAdd(tile::AtomicAddOp op);

  // lower_convert.cpp
  void lowerByteToFloat(mlir::Operation *op);

  // lower_packed.cpp
  void lowerPackedLoad(tile::LoadOp op);

  // lower_shared.cpp
  mlir::Value bufferBase(mlir::Value buffer);
  // Where this thread's elements of a tile lie in a buffer.
  class SharedAddress {
  public:
    // `layout`'s bits say where the thread walks; the buffer may have another shape of the same row-major order.
    SharedAddress(GpuLowering &lowering, tile::SharedType buffer, mlir::Value base, const Layout &layout,
                  llvm::ArrayRef<int64_t> shape);
    // Pointer to the element at the thread's coordinate plus `at`.
    mlir::Value pointer(const Coordinate &at);

  private:
    std::pair<int64_t, int64_t> place(const Coordinate &at) const; // row and column in the buffer
    GpuLowering &lowering;
    Swizzle swizzle;
    mlir::Value base;
    llvm::SmallVector<int64_t> shape;
    int64_t columns, bytes;
    mlir::Value fixed, chunk;                     // i32: the thread's bytes but for its chunk; its chunk, masked
    llvm::DenseMap<int64_t, mlir::Value> byChunk; // pointers by what is XORed onto the chunk
  };
  void lowerSharedStore(tile::SharedStoreOp op);
  void lowerSharedLoad(tile::SharedLoadOp op);
  bool lowerMatrixLoad(tile::SharedLoadOp op);

  // lower_reduce.cpp
  Registers acrossLanes(const Layout &layout, int axis, Registers values,
                        llvm::function_ref<Registers(Registers, Registers)> combine);
  mlir::Value shuffle(mlir::Value value, int64_t laneMask);
  void reduceAll(mlir::Operation *op, int axis, mlir::Value scratch, llvm::SmallVector<Registers> parts,
                 llvm::function_ref<Registers(Registers, Registers)> combine);
  void lowerReduce(tile::ReduceOp op);
  void lowerArgMax(tile::ArgMaxOp op);
};

} // namespace tessera::gpu
