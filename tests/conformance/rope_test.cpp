// Rope in all its variants against its oracle, and the frequencies of stretched contexts against published code.
#include "ops/reference/error.h"
#include "ops/reference/reference.h"
#include "ops/rope.h"
#include "ops/rope_tables.h"
#include "tests/conformance/on_target.h"
#include <cmath>

using namespace tessera;
using namespace tessera::conformance;
using ops::RopeScaling;
using Kind = RopeScaling::Kind;

class RopeTest : public OnTarget {};
INSTANTIATE_TEST_SUITE_P(, RopeTest, testing::ValuesIn(runnableTargets()), targetName);

namespace {

std::vector<float> run(const Target &target, const ops::Rope &op, int64_t tokens, const std::vector<int32_t> &pos,
                       const ops::RopeTable &table) {
  int64_t half = op.rotaryDim / 2, positions = int64_t(table.cos.size()) / half;
  Argument x = Argument::inOut(f32, {tokens, op.heads, op.headDim}, randomFloats(tokens * op.heads * op.headDim, 5));
  bool sectioned = int64_t(pos.size()) == 3 * tokens;
  launch(target, trace(op, op.defaultConfig(target)),
         {x, Argument::in(sectioned ? Shape{3, tokens} : Shape{tokens}, pos),
          Argument::in(f32, {positions, half}, table.cos), Argument::in(f32, {positions, half}, table.sin)});
  return x.floats();
}

void check(const Target &target, const ops::Rope &op, std::vector<int32_t> pos, double theta,
           const RopeScaling &scaling = {}) {
  int64_t positions = 1 + *std::ranges::max_element(pos), tokens = int64_t(pos.size());
  ops::RopeTable table = ops::ropeTable(ops::ropeFrequencies(op.rotaryDim, theta, scaling, positions), positions);
  std::vector<float> x = randomFloats(tokens * op.heads * op.headDim, 5);
  reference::RopeShape shape{op.heads, op.headDim, op.rotaryDim, op.interleaved};
  std::vector<double> oracle = reference::rope<double>(shape, widen(x), pos, widen(table.cos), widen(table.sin));
  EXPECT_LE(reference::nmse(run(target, op, tokens, pos, table), oracle), 1e-10) << op.headDim << "/" << op.rotaryDim;
}

const RopeScaling llama3{.kind = Kind::llama3, .factor = 8, .original = 8192};
const RopeScaling yarn{.kind = Kind::yarn, .factor = 4, .original = 4096};
const RopeScaling linear{.kind = Kind::linear, .factor = 8};

} // namespace

TEST_P(RopeTest, Rotates) {
  for (bool interleaved : {false, true})
    for (auto [headDim, rotaryDim] : {std::pair{64, 64}, {80, 80}, {64, 16}, {64, 48}, {128, 64}, {256, 256}})
      check(target(), {3, headDim, rotaryDim, interleaved}, {0, 5, 4, 1999}, 1e4);
}
// A magnitude that was dropped on one of the two pairings would show here.
TEST_P(RopeTest, StretchedContexts) {
  for (bool interleaved : {false, true})
    for (const RopeScaling &scaling : {linear, yarn, llama3})
      check(target(), {2, 64, 64, interleaved}, {0, 5, 16383}, 1e4, scaling);
}
TEST_P(RopeTest, SectionsTurnByTheirOwnPositions) {
  for (bool interleaved : {false, true}) {
    ops::Rope op{2, 128, 128, interleaved, {16, 24, 24}};
    std::vector<int32_t> pos{0, 5, 900, 1, 7, 30, 2, 6, 31}; // three tokens: times, heights, widths
    ops::RopeTable table = ops::ropeTable(ops::ropeFrequencies(128, 1e6, {}, 1000), 1000);
    std::vector<float> x = randomFloats(int64_t(3 * 2 * 128), 5);
    std::vector<double> oracle = reference::rope<double>({2, 128, 128, interleaved}, op.sections, widen(x), pos,
                                                         widen(table.cos), widen(table.sin));
    EXPECT_LE(reference::nmse(run(target(), op, 3, pos, table), oracle), 1e-10);
  }
}
TEST_P(RopeTest, DISABLED_FullGrid) {
  for (bool interleaved : {false, true})
    for (int headDim : {64, 80, 96, 112, 128, 256})
      for (int quarter : {1, 2, 3, 4})
        for (const RopeScaling &scaling : {RopeScaling{}, linear, yarn, llama3})
          check(target(), {9, headDim, headDim * quarter / 4, interleaved}, {131071, 0, 70000, 3}, 5e5, scaling);
}

// Pairs 0, 1, 7, 12, 16, 20, 24 and 31 of 32, computed in double by the functions of Hugging Face transformers 5.
struct Published {
  RopeScaling scaling;
  double base;
  int64_t context;
  std::array<double, 8> frequency;
  double magnitude;
};
static std::vector<float> ramp(float first, float step) {
  std::vector<float> factors;
  for (int i = 0; i < 32; ++i)
    factors.push_back(first + step * float(i));
  return factors;
}

TEST(RopeFrequencies, AreThePublishedOnes) {
  RopeScaling ntk{.kind = Kind::ntk, .factor = 4, .original = 2048};
  RopeScaling longRope{
      .kind = Kind::longRope, .factor = 32, .original = 4096, .factors = ramp(1, 1.0f / 32), .longFactors = ramp(2, 1)};
  const Published cases[] = {
      {linear,
       1e4,
       16384,
       {0.125, 0.09373677616655698, 0.01666901790204155, 0.003952847075210474, 0.00125, 0.0003952847075210475, 0.000125,
        1.666901790204155e-05},
       1},
      {ntk,
       1e4,
       8192,
       {1.0, 0.6903452539581781, 0.07472473857259082, 0.011716452109039668, 0.002661101841987007, 0.0006044033592697432,
        0.0001372752500234201, 1.025785717048711e-05},
       1},
      {ntk,
       1e4,
       1024,
       {1.0, 0.7498942093324559, 0.1333521432163324, 0.03162277660168379, 0.01, 0.00316227766016838, 0.001,
        0.0001333521432163324},
       1},
      {yarn,
       1e4,
       16384,
       {1.0, 0.7498942093324559, 0.1333521432163324, 0.02797399468610489, 0.006538461538461538, 0.0013378867023789297,
        0.00025, 3.33380358040831e-05},
       1.138629436111989},
      {llama3,
       5e5,
       131072,
       {1.0, 0.6636012376960885, 0.056669621445291044, 0.0072926647372171085, 0.0005248461609929547,
        3.428102195952591e-05, 6.647869871181236e-06, 3.7673226901739645e-07},
       1},
      {longRope,
       1e4,
       4096,
       {1.0, 0.7271701423829875, 0.10941714315186249, 0.02299838298304276, 0.006666666666666667, 0.0019460170216420796,
        0.0005714285714285715, 6.773442195115297e-05},
       1.1902380714238083},
      {longRope,
       1e4,
       8192,
       {0.5, 0.24996473644415196, 0.01481690480181471, 0.0022587697572631284, 0.0005555555555555556,
        0.00014373989364401725, 3.846153846153846e-05, 4.040974036858558e-06},
       1.1902380714238083},
  };
  constexpr int pairs[] = {0, 1, 7, 12, 16, 20, 24, 31};
  for (const Published &p : cases) {
    ops::RopeFrequencies ours = ops::ropeFrequencies(64, p.base, p.scaling, p.context);
    EXPECT_NEAR(ours.magnitude, p.magnitude, 1e-12);
    for (int i = 0; i < 8; ++i)
      EXPECT_NEAR(ours.frequency[pairs[i]], p.frequency[i], 1e-9 * p.frequency[i])
          << "kind " << int(p.scaling.kind) << " pair " << pairs[i];
  }
}
TEST(RopeFrequencies, AFilesFactorsDivide) {
  RopeScaling scaling{.factors = ramp(1, 1)};
  ops::RopeFrequencies ours = ops::ropeFrequencies(64, 1e4, scaling, 100);
  EXPECT_DOUBLE_EQ(ours.frequency[0], 1);
  EXPECT_DOUBLE_EQ(ours.frequency[16], 0.01 / 17);
}
