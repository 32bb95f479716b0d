// Lowers a kernel with layouts to GPU threads: every tile becomes the elements that one thread holds, one SSA value
// each; a kernel becomes a function of its arguments that one block runs for one program. Files: lower.cpp (structure,
// thread coordinates, dots), lower_programs.cpp (the grid), lower_access.cpp (global memory), lower_packed.cpp (packed
// tensors), lower_unpack.cpp (their codes), lower_shared.cpp and lower_matrices.cpp (shared memory), lower_wgmma.cpp
// (dots of warpgroups), lower_roles.cpp (warps that copy and warps that compute), lower_moves.cpp (between layouts),
// lower_reduce.cpp, lower_convert.cpp (element types), lower_compare.cpp (comparisons of positions).
#pragma once
#include "compiler/layout/algebra.h"
#include "compiler/layout/swizzle.h"
#include "compiler/lower/lowering.h"
#include "compiler/tile/roles.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <array>
#include <map>
#include <memory>

namespace tessera::gpu {

struct MmaOp;

class GpuLowering final : public Lowering {
public:
  using Lowering::Lowering;
  mlir::LogicalResult run() override;

  // How a tile moves between a buffer and fragments by 8 x 8 matrices (lower_matrices.cpp)
  struct Matrices { // that one ldmatrix or stmatrix moves, each a word of the thread
    llvm::SmallVector<int64_t> words;
    Layout giving; // which lane gives the address of which row
  };
  struct MatrixPlan {
    bool transposed = false;
    int64_t word = 1;                   // elements of a 32-bit word
    llvm::SmallVector<Matrices> groups; // empty: not by matrices
  };
  static MatrixPlan planMatrices(const Layout &layout, mlir::RankedTensorType type, tile::SharedType buffer,
                                 std::optional<int> summed);

private:
  bool storesBoxes = false; // some thread may have copies out of shared memory under way
  mlir::Value thread;       // i32, in the block
  mlir::Value sharedBase;   // !llvm.ptr<3>
  Registers tensorMaps;     // generic pointers to those of tile.maps
  mlir::Block *entryBlock = nullptr;
  std::map<std::vector<int64_t>, mlir::Value> walks; // see walk()

  // lower.cpp
  mlir::Type registerType(mlir::Type type) override;
  mlir::LogicalResult lowerTile(mlir::Operation *op) override;
  Registers carriedOf(mlir::Value tile) override; // narrow elements as words
  Registers heldOf(mlir::Type type, mlir::ValueRange carried) override;
  mlir::LogicalResult lowerElementwise(mlir::Operation *op) override; // lower_convert.cpp
  void lowerIota(tile::IotaOp op);
  void lowerDot(tile::DotOp op);
  void lowerThreadDot(tile::DotOp op, const MmaOp &mma, Registers values);
  // Of a dot whose sums begin at zero in its loop's first step: whether this is another; null elsewhere.
  mlir::Value pastRestart(tile::DotOp op);
  // The registers of a dot's operand, loaded now where they have not been.
  llvm::SmallVector<mlir::Value> operandOf(mlir::Value tile, int64_t first, int64_t count);
  llvm::SmallVector<mlir::Value> operandOf(mlir::Value tile, llvm::ArrayRef<int64_t> numbers);
  // Sum over the thread's bits of steps[bit], as i32; computed once, at the kernel's start. XOR where `bits` overlap is
  // the caller's business: steps must not carry into each other.
  mlir::Value walk(llvm::ArrayRef<int64_t> steps);
  // One number a thread bit: what `of` makes of the bit's basis.
  static std::vector<int64_t> stepsOf(const Layout &layout, llvm::function_ref<int64_t(const Coordinate &)> of);
  // Whether this thread is the first of those that hold the same elements; null if every thread is.
  mlir::Value isFirstHolder(const Layout &layout);
  mlir::Value constantI32(int64_t value);
  mlir::Value widen(mlir::Value i32); // unsigned, to i64
  mlir::Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);

  // lower_programs.cpp: the kernel's body for the program, or the programs, that the block runs
  using Axes = llvm::SmallVector<std::pair<tile::ProgramOp, mlir::Value>>;
  mlir::LogicalResult lowerPrograms();
  void bindPrograms(const Axes &axes, mlir::Value number);
  void renumber(const Axes &axes, int64_t rows, llvm::MutableArrayRef<mlir::Value> numbers);
  mlir::Value programsAlong(tile::ProgramOp axis, mlir::Value bound);
  mlir::Value allPrograms(const Axes &axes);
  mlir::LogicalResult lowerWalk(tile::WalkOp op);
  mlir::LogicalResult lowerEnter(tile::EnterOp op);
  mlir::Value remembered(int64_t number); // a pointer to the thread's variable
  llvm::DenseMap<int64_t, mlir::Value> variables;
  mlir::Value special(llvm::StringRef name); // a special register, as i64

  // lower_access.cpp
  struct Address; // of one access: what all its elements share; in address.h
  class PackedAddress;
  Address addressOf(mlir::Operation *access, const Layout &layout);
  mlir::Value positionOf(Address &a, int axis, const Coordinate &at);
  mlir::Value elementPointer(Address &a, const Coordinate &at);
  std::pair<mlir::Value, int64_t> elementPlace(Address &a, const Coordinate &at);
  mlir::Value rowPointer(Address &a, mlir::Value pointer, int64_t axis, int64_t place);
  mlir::Value leftOf(Address &a, int64_t axis);
  mlir::Value guardOf(Address &a, int64_t r); // i1, or null for always
  mlir::Value loadBits(mlir::Type type, mlir::Value pointer, mlir::Value guard, Address &a, mlir::Value otherwise = {});
  void storeBits(mlir::Value value, mlir::Value pointer, mlir::Value guard);
  int64_t vectorLength(const Address &a, mlir::Operation *access);
  void lowerLoad(tile::LoadOp op);
  void lowerCopy(tile::CopyOp op);
  void lowerStore(tile::StoreOp op);
  void lowerAtomicAdd(tile::AtomicAddOp op);

  // lower_moves.cpp
  void lowerMove(mlir::Value source, mlir::Value result, llvm::function_ref<Coordinate(Coordinate)> map) override;
  void shuffleWithin(mlir::Value source, mlir::Value result, const ShufflePlan &plan);
  mlir::Value offeredWord(const Registers &words, const ShufflePlan &plan, const ShufflePlan::Word &word);
  mlir::Value shuffle(mlir::Value value, const char *kind, mlir::Value lane);
  mlir::Value shuffle(mlir::Value value, int64_t laneMask); // with the lane whose number differs by the mask

  // lower_convert.cpp
  void lowerByteToFloat(mlir::Operation *op);
  Registers widenedBfloats(mlir::Location loc, mlir::ValueRange pairs);

  // lower_compare.cpp: false where the operands are no positions
  bool lowerComparison(mlir::arith::CmpIOp op);

  // lower_packed.cpp
  int64_t rowsTogether(tile::LoadOp op, const Layout &layout);
  void lowerPackedLoad(tile::LoadOp op);
  void lowerPanelRows(tile::LoadOp op, Address &a, int64_t rows);

  // lower_unpack.cpp: codes that lie four a word, and arithmetic on pairs of halves
  llvm::DenseMap<mlir::Value, Registers> codeWords;  // of tiles of codes: i32, registers 4 i .. 4 i + 3
  llvm::DenseMap<mlir::Value, Registers> codeHalves; // of tiles that are made of codes in f16: pairs of registers
  llvm::DenseMap<mlir::Value, Registers> codesAbove; // of their conversions to f16: pairs of 1024 + code
  void lowerUnpack(tile::UnpackOp op);
  bool lowerCodesToFloat(mlir::Operation *op);
  bool lowerHalves(mlir::Operation *op);
  Registers pairsOf(mlir::Value tile);
  void setPairs(mlir::Value tile, Registers pairs);

  // lower_shared.cpp
  mlir::Value bufferBase(mlir::Value buffer);
  mlir::Value slotOf(mlir::Value slot) { return slot ? scalar(slot) : mlir::Value(); }
  // A buffer, or one slot of a ring: where it begins, in bytes (i32).
  struct Place {
    mlir::TypedValue<tile::SharedType> buffer;
    mlir::Value slot;
    tile::SharedType type() const { return mlir::TypedValue<tile::SharedType>(buffer).getType(); }
  };
  // Where this thread's elements of a tile lie in a buffer.
  class SharedAddress {
  public:
    // `layout`'s bits say where the thread walks; the buffer may have another shape of the same row-major order.
    SharedAddress(GpuLowering &lowering, Place buffer, const Layout &layout, llvm::ArrayRef<int64_t> shape);
    // Pointer to the element at the thread's coordinate plus `at`.
    mlir::Value pointer(const Coordinate &at);
    // The same as a pointer and bytes to add to it.
    std::pair<mlir::Value, int64_t> place(const Coordinate &at);

  private:
    std::pair<int64_t, int64_t> rowColumn(const Coordinate &at) const; // in the buffer
    mlir::Value offsetOf(int64_t low);
    mlir::Value startAt(int64_t low);
    bool isXored() const;
    GpuLowering &lowering;
    Place where;
    Swizzle swizzle;
    llvm::SmallVector<int64_t> shape;
    int64_t columns, bytes;
    std::vector<int64_t> fixedSteps, columnSteps, maskSteps; // see walk(): bytes but for the chunk; chunk; its mask
    llvm::DenseMap<int64_t, mlir::Value> byChunk;            // pointers by what is XORed onto the chunk
  };
  std::map<std::array<std::vector<int64_t>, 4>, mlir::Value> inRings; // the thread's parts of addresses in rings
  // lower_matrices.cpp
  bool storeMatrices(tile::SharedStoreOp op);
  // Loads the registers of one shared_load, each with its neighbours when it is first asked for.
  class SharedReader {
  public:
    SharedReader(GpuLowering &lowering, tile::SharedLoadOp op, std::optional<int> summed);
    mlir::Value at(int64_t r);
    mlir::Value wideAt(int64_t r); // as f32

  private:
    void loadMatrices(const Matrices &group);
    SharedAddress &addressFor(const Layout &walked);
    GpuLowering &lowering;
    tile::SharedLoadOp op;
    mlir::RankedTensorType type;
    Layout layout;
    Registers elements; // null where not loaded yet
    Registers widened;  // null where not widened yet
    int64_t vector = 1; // elements that one plain load moves
    MatrixPlan plan;
    llvm::SmallVector<std::pair<Layout, std::unique_ptr<SharedAddress>>> addresses;
  };
  // A tile that a dot reads from shared memory: its register r is the reader's register from[r].
  struct Late {
    std::shared_ptr<SharedReader> reader;
    std::vector<int64_t> from;
    bool wide = false; // to f32, after it is read
  };
  llvm::DenseMap<mlir::Value, Late> lates;
  void lowerSharedStore(tile::SharedStoreOp op);
  void lowerSharedLoad(tile::SharedLoadOp op);

  // lower_wgmma.cpp
  class MatrixInShared;
  void lowerWarpgroupDot(tile::DotOp op);
  void lowerSettle(tile::SettleOp op);

  // lower_roles.cpp
  int64_t consumers(); // threads that compute
  void blockBarrier();
  void lowerBarrier(tile::BarrierOp op);
  mlir::LogicalResult lowerRole(mlir::Operation *op);
  mlir::Value barrierAt(mlir::Location loc, mlir::Value index);
  void lowerInitBarriers(tile::InitBarriersOp op);
  void forEachPanel(tile::SharedType buffer, mlir::ValueRange origin, llvm::ArrayRef<mlir::Value> operands,
                    llvm::function_ref<void(int64_t, llvm::StringRef, llvm::SmallVector<mlir::Value>)> copy);
  void lowerTensorCopy(tile::TensorCopyOp op);
  void lowerTensorStore(tile::TensorStoreOp op);
  void lowerClearRows(tile::ClearRowsOp op);

  // lower_reduce.cpp
  Registers acrossLanes(const Layout &layout, int axis, Registers values,
                        llvm::function_ref<Registers(Registers, Registers)> combine);
  void reduceAll(mlir::Operation *op, int axis, mlir::Value scratch, llvm::SmallVector<Registers> parts,
                 llvm::function_ref<Registers(Registers, Registers)> combine);
  void lowerReduce(tile::ReduceOp op);
  void lowerArgMax(tile::ArgMaxOp op);
};

} // namespace tessera::gpu
