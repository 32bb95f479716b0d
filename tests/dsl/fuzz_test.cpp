// Random programs: each is either refused with a line, or is IR that MLIR's verifier accepts; none crashes.
#include "dsl/dsl.h"
#include "dsl/recorder.h"
#include "dsl/trace.h"
#include <gtest/gtest.h>
#include <random>

namespace tessera::dsl {

namespace {
// Writes a random kernel, one step a number in `steps`. Most programs go wrong at some step; what follows the mistake
// is run all the same.
class Author {
public:
  Author(Kernel &k, std::span<const unsigned> steps) : k(k), steps(steps) {}

  // The step of the first mistake, or -1.
  int write() {
    int wrong = -1;
    M = k.dims("M");
    K = k.dims("K");
    tensors = {k.in("A", f32, {M, K}),  k.in("B", f16, {64, M}),       k.in("W", q4_1, {M, K}),
               k.in("T", i32, {K, 8}),  k.in("X", i8, {8, M, K / 32}), k.inOut("S", f32, {M, 64}),
               k.out("D", f32, {M, 64})};
    auto [m, i] = k.parallel(blocks(M, 16), each(K));
    ranges = {m};
    tiles = {k.scalar("s", f32), i, zeros({16, 64}), iota(16)};
    for (int step = 0; step < int(steps.size()); ++step) {
      random.seed(steps[size_t(step)]);
      act(0);
      if (wrong < 0 && Recorder::current().failed())
        wrong = step;
    }
    Tile result = zeros({16, 64});
    for (const Tile &tile : tiles) // so that all of them are needed
      result += tile.isScalar() ? tile.to(f32) : reduceMax(reshape(tile.to(f32), {elementCount(tile.shape())}), 0);
    for (int t : {5, 6})
      store(tensors[size_t(t)](m, all), result);
    return wrong;
  }

private:
  int below(int n) { return int(random() % unsigned(n)); }
  template <class T> T pick(std::initializer_list<T> of) { return *(of.begin() + below(int(of.size()))); }
  Tile tile() {
    return below(3) ? tiles[tiles.size() - 1 - size_t(below(std::min(4, int(tiles.size()))))]
                    : tiles[size_t(below(int(tiles.size())))];
  }
  Tile last() { return tiles.back(); }
  Range range() { return ranges[size_t(below(int(ranges.size())))]; }
  Operand operand() {
    switch (below(5)) {
    case 0:
      return pick({0.5, 1.0, -3.0});
    case 1:
      return pick({0, 1, 2, 7});
    case 2:
      return below(2) ? Operand(M) : Operand(tile());
    default:
      return tile();
    }
  }
  Subscript subscript() {
    switch (below(6)) {
    case 0:
      return all;
    case 1:
      return pick({0, 3, 63});
    case 2:
      return tile();
    default:
      return range();
    }
  }
  View view() {
    const Tensor &t = tensors[size_t(below(int(tensors.size())))];
    View v = below(4)   ? t(subscript(), subscript())
             : below(2) ? t(subscript())
                        : t(subscript(), subscript(), subscript());
    return below(4) ? v : below(3) ? codes(v) : below(2) ? scales(v) : mins(v);
  }
  Shape shape() { return pick<Shape>({{16, 64}, {64, 16}, {16, 1}, {1024}, {4, 4, 64}, {16}, {1, 64}}); }
  DType dtype() { return pick({f32, f32, f16, bf16, i32, i8, u8, i64, index, i1}); }

  void act(int depth) {
    switch (below(16)) {
    case 0:
      return tiles.push_back(load(view()));
    case 1:
      return tiles.push_back(below(2) ? load(view(), tile()) : zeros(shape(), dtype()));
    case 2:
      return below(2) ? store(view(), tile()) : atomicAdd(view(), tile());
    case 3:
      return tiles.push_back(tile().to(dtype()));
    case 4:
      return tiles.push_back(dot(tile(), trans(tile())));
    case 5:
      return tiles.push_back(reshape(tile(), shape()));
    case 6:
      return tiles.push_back(below(2) ? reduceSum(tile(), below(2)) : argMax(tile(), below(2)));
    case 7:
      return tiles.push_back(where(tile(), operand(), operand()));
    case 8:
      return tiles.push_back(below(2) ? operand() < operand() : operand() == operand());
    case 9:
      return tiles.push_back(below(2) ? exp2(tile()) : abs(tile()));
    case 10:
      return ranges.push_back(below(2) ? range() / pick({1, 2, 16, 32}) : range() + operand());
    case 11:
      return tiles.push_back(below(3) ? range().col() : below(2) ? range().row() : range().pos());
    case 12:
      return tiles.push_back(below(2) ? operand() % operand() : (operand() & operand()));
    case 13:
      if (depth < 2)
        nest(depth);
      return;
    case 14:
      return tiles.push_back(below(2) ? operand() / operand() : operand() - operand());
    default:
      return tiles.push_back(below(2) ? operand() + operand() : operand() * operand());
    }
  }

  void nest(int depth) {
    size_t outer = tiles.size(), outerRanges = ranges.size();
    Tile start = tile();
    Size bound = pick<Size>({Size(K), Size(4), Size(tile())});
    Tile result = loop(blocks(bound, pick({16, 32, 1})), start, [&](Range r, Tile carried) {
      ranges.push_back(r);
      tiles.push_back(carried);
      for (int step = below(5); step > 0; --step)
        act(depth + 1);
      return below(4) ? carried + carried : last();
    });
    if (below(12)) { // else a later step may take a tile out of its loop
      tiles.resize(outer);
      ranges.resize(outerRanges);
    }
    tiles.push_back(result);
  }

  Kernel &k;
  std::span<const unsigned> steps;
  std::mt19937 random;
  Dim M, K;
  std::vector<Tensor> tensors;
  std::vector<Tile> tiles;
  std::vector<Range> ranges;
};
} // namespace

// Steps that went wrong are left out until the program is right, so that long right programs are seen too.
TEST(Fuzz, ProgramsAreRefusedByLineOrAreValid) {
  int refused = 0, stepsOfRight = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    std::vector<unsigned> steps(30);
    for (unsigned i = 0; i < steps.size(); ++i)
      steps[i] = seed * 1000 + i;
    for (int wrong = 0; wrong >= 0;) {
      auto program = traceKernel("fuzz", "", [&](Kernel &k) { wrong = Author(k, steps).write(); });
      if (program)
        break;
      ++refused;
      ASSERT_EQ(program.error().blame, Blame::invalidArgument) << "seed " << seed << ": " << program.error().message;
      ASSERT_TRUE(program.error().message.starts_with("tests/dsl/fuzz_test.cpp:")) << program.error().message;
      if (wrong >= 0)
        steps.erase(steps.begin() + wrong); // else a tile out of its loop, found at the end
    }
    stepsOfRight += int(steps.size());
  }
  EXPECT_GT(refused, 500); // enough of both kinds
  EXPECT_GT(stepsOfRight, 500);
}

} // namespace tessera::dsl
