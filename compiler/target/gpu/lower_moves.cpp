// Moves between layouts that need no shared memory: registers of the same thread, and shuffles within a warp.
#include "compiler/target/gpu/lower.h"
#include "compiler/target/gpu/mma.h"
#include "compiler/target/gpu/moves.h"
#include "compiler/target/gpu/shape.h"

using namespace mlir;

namespace tessera::gpu {

// shfl.sync moves 32 bits.
Value GpuLowering::shuffle(Value value, const char *kind, Value lane) {
  Location loc = value.getLoc();
  Type type = value.getType(), i32 = b.getI32Type();
  unsigned width = type.getIntOrFloatBitWidth();
  Value bits = value;
  if (width < 32) {
    Type narrow = b.getIntegerType(width);
    if (type != narrow)
      bits = LLVM::BitcastOp::create(b, loc, narrow, bits);
    bits = arith::ExtUIOp::create(b, loc, i32, bits);
  } else if (type != i32) {
    bits = LLVM::BitcastOp::create(b, loc, i32, bits);
  }
  bits = intrinsic("llvm.nvvm.shfl.sync." + std::string(kind) + ".i32", i32,
                   {constantI32(-1), bits, lane, constantI32(0x1f)});
  if (width < 32) {
    bits = arith::TruncIOp::create(b, loc, b.getIntegerType(width), bits);
    return bits.getType() == type ? bits : LLVM::BitcastOp::create(b, loc, type, bits).getResult();
  }
  return type == i32 ? bits : LLVM::BitcastOp::create(b, loc, type, bits).getResult();
}

Value GpuLowering::shuffle(Value value, int64_t laneMask) { return shuffle(value, "bfly", constantI32(laneMask)); }

void GpuLowering::lowerMove(Value source, Value result, llvm::function_ref<Coordinate(Coordinate)> map) {
  auto type = cast<RankedTensorType>(source.getType());
  Layout have = tile::layoutOf(type), want = tile::layoutOf(cast<RankedTensorType>(result.getType()));
  auto from = registersWithin(have, want, map);
  if (!from)
    return shuffleWithin(source, result, *shufflesBetween(have, want, map, elementsAShuffle(type)));
  Registers out;
  for (int64_t r : *from)
    out.push_back(regs(source)[r]);
  registers[result] = out;
  if (auto late = lates.find(source); late != lates.end()) {
    Late moved{late->second.reader, {}, late->second.wide};
    for (int64_t r : *from)
      moved.from.push_back(late->second.from[r]);
    lates[result] = moved;
  }
}

// The word that a lane offers: one of up to four, by bits of its number.
Value GpuLowering::offeredWord(const Registers &words, const ShufflePlan &plan, const ShufflePlan::Word &word) {
  SmallVector<Value> choices;
  for (int64_t choice = 0; choice < int64_t(1) << word.asked.size(); ++choice) {
    // Any lane that makes this choice; where no lane does, anything.
    Value offered = words[0];
    for (auto [lane, first] : llvm::enumerate(word.offered)) {
      bool makes = first >= 0;
      for (auto [i, bit] : llvm::enumerate(word.asked))
        makes &= (int64_t(lane) >> bit & 1) == (choice >> i & 1);
      if (makes)
        offered = words[first / plan.together];
    }
    choices.push_back(offered);
  }
  Location loc = choices[0].getLoc();
  for (int bit : word.asked) {
    Value set =
        arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne,
                              arith::AndIOp::create(b, loc, thread, constantI32(int64_t(1) << bit)), constantI32(0));
    SmallVector<Value> left;
    for (size_t i = 0; i < choices.size(); i += 2)
      left.push_back(choices[i] == choices[i + 1]
                         ? choices[i]
                         : arith::SelectOp::create(b, loc, set, choices[i + 1], choices[i]).getResult());
    choices = left;
  }
  return choices[0];
}

// Every register of the result comes by one shuffle, or by none where it stays in its lane.
void GpuLowering::shuffleWithin(Value source, Value result, const ShufflePlan &plan) {
  Location loc = result.getLoc();
  int64_t together = plan.together, count = registerCount(source.getType());
  Registers words;
  SmallVector<Value> elements = operandOf(source, 0, count);
  for (int64_t r = 0; r < count; r += together)
    words.push_back(together == 1
                        ? elements[r]
                        : LLVM::BitcastOp::create(b, loc, b.getI32Type(),
                                                  packWords(b, loc, ArrayRef(elements).slice(r, together)).front())
                              .getResult());
  bool stays = plan.lanes == LinearMap::identity(plan.lanes.inBits());
  Value lane;
  if (!stays) {
    std::vector<int64_t> steps(tile::layoutOf(cast<RankedTensorType>(result.getType())).warp.size(), 0); // add nothing
    for (int bit = plan.lanes.inBits(); bit-- > 0;)
      steps.insert(steps.begin(), int64_t(plan.lanes.column(bit)));
    lane = walk(steps);
  }
  Registers out;
  for (const ShufflePlan::Word &word : plan.words) {
    Value moved = offeredWord(words, plan, word);
    if (!stays)
      moved = shuffle(moved, "idx", word.lane ? arith::XOrIOp::create(b, loc, lane, constantI32(word.lane)) : lane);
    else if (word.lane)
      moved = shuffle(moved, word.lane);
    if (together == 1)
      out.push_back(moved);
    else
      llvm::append_range(out, unpackWords(b, loc, moved, elements[0].getType()));
  }
  registers[result] = out;
  result.getDefiningOp()->emitRemark() << "moved within warps: " << plan.shuffles() << " shuffles, "
                                       << plan.selections() << " selections a thread";
}

} // namespace tessera::gpu
