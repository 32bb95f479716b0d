// The canonical order of a traced block. C++ leaves the order in which operands are evaluated to the compiler, so the
// order of recording is not the program's meaning; this rewrites it into one that depends on the data flow alone.
#include "compiler/tile/tile.h"
#include "dsl/trace_parts.h"
#include "mlir/IR/Block.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/STLExtras.h"
#include <vector>

namespace tessera::dsl {
using namespace mlir;

namespace {
// Every op goes where its first user needs it, operands in order: a post-order walk from the roots, which are the
// writes and the terminator in program order. What no root needs is dropped. Reads of a tensor that the kernel also
// writes stay before the writes that follow them in the program, ordered among themselves by that walk.
class Order {
public:
  explicit Order(Block &block) : block(block) {
    int position = 0;
    for (Operation &op : block) {
      program[&op] = position++;
      op.walk([&](Operation *inner) { note(&op, inner); });
    }
  }

  void apply() {
    walk(false); // ranks: the order that data flow alone gives
    ranks.swap(placed);
    SmallVector<Operation *> order = walk(true);
    llvm::DenseSet<Operation *> kept(order.begin(), order.end());
    SmallVector<Operation *> dropped;
    for (Operation &op : llvm::reverse(block))
      if (!kept.contains(&op))
        dropped.push_back(&op);
    for (Operation *op : order)
      op->moveBefore(&block, block.end());
    for (Operation *op : dropped) // users come first
      op->erase();
  }

private:
  void note(Operation *top, Operation *inner) {
    if (auto load = dyn_cast<tile::LoadOp>(inner))
      reads[top].push_back(load.getView());
    if (auto store = dyn_cast<tile::StoreOp>(inner))
      writes[top].push_back(store.getView());
    if (auto add = dyn_cast<tile::AtomicAddOp>(inner))
      writes[top].push_back(add.getView());
  }

  SmallVector<Operation *> walk(bool keepReads) {
    SmallVector<Operation *> order;
    for (Operation &op : block)
      if (writes.contains(&op) || op.hasTrait<OpTrait::IsTerminator>()) {
        if (keepReads)
          for (Operation *read : readsBefore(&op))
            visit(read, order);
        visit(&op, order);
      }
    return order;
  }

  // The reads of what `write` overwrites that stand before it in the program and that something needs.
  SmallVector<Operation *> readsBefore(Operation *write) {
    SmallVector<Operation *> out;
    for (auto &[op, views] : reads)
      if (op != write && program[op] < program[write] && ranks.contains(op) &&
          llvm::any_of(views, [&](Value view) { return llvm::is_contained(writes[write], view); }))
        out.push_back(op);
    llvm::sort(out, [&](Operation *a, Operation *b) { return ranks[a] < ranks[b]; });
    return out;
  }

  // The operations of this block whose results `op` uses, itself or inside its regions, in the order of use.
  SmallVector<Operation *> sources(Operation *op) {
    SmallVector<Operation *> out;
    op->walk<WalkOrder::PreOrder>([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        if (Operation *source = operand.getDefiningOp())
          if (Operation *here = block.findAncestorOpInBlock(*source); here && here != op)
            out.push_back(here);
    });
    return out;
  }

  // Places `root` after all that it needs. An explicit stack: a kernel unrolled in C++ makes chains of any length.
  void visit(Operation *root, SmallVector<Operation *> &order) {
    struct Frame {
      Operation *op;
      SmallVector<Operation *> needs;
      size_t next = 0;
    };
    std::vector<Frame> stack;
    auto enter = [&](Operation *op) {
      if (placed.try_emplace(op, -1).second)
        stack.push_back({op, sources(op)});
    };
    enter(root);
    while (!stack.empty()) {
      Frame &top = stack.back();
      if (top.next < top.needs.size()) {
        enter(top.needs[top.next++]);
        continue;
      }
      placed[top.op] = int(order.size());
      order.push_back(top.op);
      stack.pop_back();
    }
  }

  Block &block;
  llvm::DenseMap<Operation *, int> program, placed, ranks;
  llvm::DenseMap<Operation *, SmallVector<Value>> reads, writes;
};
} // namespace

void orderCanonically(Block &block) {
  for (Operation &op : block)
    for (Region &region : op.getRegions())
      for (Block &inner : region)
        orderCanonically(inner);
  Order(block).apply();
}

} // namespace tessera::dsl
