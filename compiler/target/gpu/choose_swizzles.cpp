// A buffer whose warps would meet a bank twice gets a swizzle of its own: what each bit of a row XORs onto its chunks
// is chosen for what writers and readers walk. The standard map serves eight rows that follow each other, as ldmatrix
// and copies of whole rows take them; a product of threads takes every fourth row, since a thread owns four.
#include "base/target.h"
#include "compiler/passes/passes.h"
#include "compiler/passes/target_row.h"
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/target/gpu/wgmma.h"

namespace tessera {
#define GEN_PASS_DEF_TILECHOOSESWIZZLES
#include "compiler/passes/passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

// One kind of access of a buffer by warps.
struct Access {
  Layout lanes;
  SmallVector<int64_t> shape; // of the tile
  int64_t vector;             // elements a lane
  Coordinate from;
  int64_t count; // of such instructions
};

struct ChooseSwizzles : tessera::impl::TileChooseSwizzlesBase<ChooseSwizzles> {
  using Base::Base;
  const tessera::Target *chip = nullptr;

  void runOnOperation() override {
    chip = tessera::targetRow(getOperation(), target);
    if (!chip)
      return signalPassFailure();
    getOperation()->walk([&](tile::AllocOp alloc) {
      if (auto accesses = accessesOf(alloc))
        choose(alloc, *accesses);
    });
  }

  // None where hardware knows the buffer's map (wgmma, TMA), or where there is nothing to choose.
  std::optional<SmallVector<Access>> accessesOf(tile::AllocOp alloc) {
    tile::SharedType buffer = alloc.getType();
    SmallVector<Access> accesses;
    if (gpu::swizzleOf(buffer).masks() == 1 || buffer.getShape().size() != 2)
      return std::nullopt;
    for (Operation *user : alloc->getUsers()) {
      if (auto store = dyn_cast<tile::SharedStoreOp>(user))
        add(accesses, cast<RankedTensorType>(store.getValue().getType()), buffer, chip->has("stmatrix"));
      else if (auto load = dyn_cast<tile::SharedLoadOp>(user); load && !gpu::wgmmaReader(load))
        add(accesses, cast<RankedTensorType>(load.getType()), buffer, chip->has("ldmatrix"));
      else if (auto copy = dyn_cast<tile::CopyOp>(user)) {
        auto type = cast<RankedTensorType>(copy.getTile());
        Layout layout = tile::layoutOf(type);
        int64_t vector = gpu::accessVector(copy, layout);
        accesses.push_back({layout, SmallVector<int64_t>(type.getShape()), vector, Coordinate(layout.rank(), 0),
                            layout.registers() / vector});
      } else if (!isa<tile::WaitOp>(user)) {
        return std::nullopt;
      }
    }
    return accesses;
  }

  static void add(SmallVector<Access> &accesses, RankedTensorType type, tile::SharedType buffer, bool matrices) {
    Layout layout = tile::layoutOf(type);
    SmallVector<int64_t> shape(type.getShape());
    gpu::GpuLowering::MatrixPlan plan;
    if (matrices)
      plan = gpu::GpuLowering::planMatrices(layout, type, buffer, std::nullopt);
    for (const auto &group : plan.groups)
      accesses.push_back({group.giving, shape, Swizzle::chunkBytes / gpu::elementBytes(type),
                          layout.at(group.words.front() * plan.word, 0), 1});
    if (!plan.groups.empty())
      return;
    int64_t vector = gpu::sharedVector(layout, buffer);
    accesses.push_back({layout, shape, vector, Coordinate(layout.rank(), 0), layout.registers() / vector});
  }

  // Wavefronts beyond those that no swizzle could save, as far as the accesses' degrees tell.
  static int64_t conflicts(tile::SharedType buffer, ArrayRef<Access> accesses) {
    int64_t sum = 0;
    for (const Access &a : accesses)
      sum += a.count * (gpu::conflictsOf(a.lanes, buffer, a.shape, a.vector, a.from) - 1);
    return sum;
  }

  // From the standard map one bit of the row after another takes what saves most, until nothing does. Bits that then
  // need not be swizzled are not: each costs an address.
  void choose(tile::AllocOp alloc, ArrayRef<Access> accesses) {
    tile::SharedType standard = alloc.getType();
    int64_t least = conflicts(standard, accesses), before = least;
    if (!least)
      return;
    Swizzle swizzle = gpu::swizzleOf(standard);
    SmallVector<int64_t> columns;
    for (int bit = 0; bit < swizzle.rowBits(); ++bit)
      columns.push_back(swizzle.column(bit));
    auto with = [&](ArrayRef<int64_t> chosen) {
      return tile::SharedType::get(&getContext(), standard.getSlots(), standard.getShape(), standard.getElementType(),
                                   chosen);
    };
    for (bool better = true; better && least;) {
      better = false;
      for (int64_t &column : columns) {
        int64_t kept = column;
        for (int64_t mask = 0; mask < swizzle.masks(); ++mask) {
          column = mask;
          if (int64_t sum = conflicts(with(columns), accesses); sum < least)
            least = sum, kept = mask, better = true;
        }
        column = kept;
      }
    }
    if (least == before)
      return;
    for (int64_t &column : columns)
      if (int64_t kept = std::exchange(column, 0); kept && conflicts(with(columns), accesses) > least)
        column = kept;
    alloc.getResult().setType(with(columns));
  }
};

} // namespace
