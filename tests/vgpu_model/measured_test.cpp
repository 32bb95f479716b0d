// The held-out half of the measured kernel times against the checked-in constants: the bars that the model must meet.
#include "runtime/vgpu/model/calibration.h"
#include "runtime/vgpu/model/measured.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

namespace tessera::vgpu {
namespace {
struct Error {
  double sum = 0;
  int rows = 0;
  double mape() const { return 100 * sum / rows; }
};

using Errors = std::map<std::pair<std::string, std::string>, Error>; // by chip and family

const std::vector<Measured> &measured() {
  static const std::vector<Measured> rows = readMeasured("runtime/vgpu/model/data").value();
  return rows;
}

Errors errorsOf(bool heldOut) {
  Errors errors;
  for (const Measured &m : measured()) {
    if (m.heldOut != heldOut)
      continue;
    const Chip *chip = chipNamed(m.chip);
    const auto e = estimateMeasured(*chip, calibrationOf(m.chip).constants, m);
    EXPECT_TRUE(e) << m.kernel;
    Error &error = errors[{m.chip, std::string(m.family())}];
    error.sum += std::abs(e->microseconds / m.microseconds - 1);
    ++error.rows;
  }
  return errors;
}

TEST(Measured, TheHalvesAreAboutEqualAndShareNoShape) {
  std::map<std::string, bool> half;
  int held = 0;
  for (const Measured &m : measured()) {
    std::string shape = m.op;
    for (const double extent : {m.batch, m.rows, m.inner, m.cols})
      shape += " " + std::to_string(extent);
    const auto [at, fresh] = half.emplace(shape, m.heldOut);
    EXPECT_TRUE(fresh || at->second == m.heldOut) << shape;
    held += m.heldOut;
  }
  EXPECT_GT(held, int(measured().size()) * 45 / 100);
  EXPECT_LT(held, int(measured().size()) * 55 / 100);
}

TEST(Measured, LinearWithin12PercentOnEveryChip) {
  const Errors errors = errorsOf(true);
  for (const char *chip : {"t4", "v100", "a100", "a100-80", "l4", "h100"}) {
    const auto found = errors.find({chip, "linear"});
    ASSERT_NE(found, errors.end()) << chip;
    EXPECT_GT(found->second.rows, 140) << chip;
    EXPECT_LE(found->second.mape(), 12) << chip;
  }
}

TEST(Measured, ElementwiseWithin5PercentOnEveryChip) {
  const Errors errors = errorsOf(true);
  for (const char *chip : {"t4", "v100", "a100", "a100-80", "l4"}) { // the data has no element-wise rows of an H100
    const auto found = errors.find({chip, "elementwise"});
    ASSERT_NE(found, errors.end()) << chip;
    EXPECT_GT(found->second.rows, 90) << chip;
    EXPECT_LE(found->second.mape(), 5) << chip;
  }
}

// Kernels whose families no bar covers: what they reach today, so that a change of the model cannot lose it unseen.
TEST(Measured, OtherFamiliesKeepWhatTheyReach) {
  for (const auto &[key, error] : errorsOf(true)) {
    const auto &[chip, family] = key;
    RecordProperty(chip + "_" + family, std::to_string(error.mape()));
    std::printf("%-8s %-12s %4d rows, MAPE %.2f %%\n", chip.c_str(), family.c_str(), error.rows, error.mape());
    const std::map<std::string, double> reached = {{"bmm", 22}, {"softmax", 17}, {"ln", 13}};
    if (const auto limit = reached.find(family); limit != reached.end())
      EXPECT_LE(error.mape(), limit->second) << chip << " " << family;
  }
}

TEST(Measured, ABrokenFileIsNamedWithItsLine) {
  const std::filesystem::path folder = std::filesystem::path(::testing::TempDir()) / "tessera_measured";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "linear.csv") << "op,chip,B,M,N,K,latency_ms,kernel,grid_x,grid_y,grid_z,block_x\n"
                                          "linear,t4,1,2,3,4,fast,volta_sgemm_128x64_tn,1,1,1,128\n";
  const auto rows = readMeasured(folder);
  ASSERT_FALSE(rows);
  EXPECT_NE(rows.error().message.find("linear.csv:2"), std::string::npos) << rows.error().message;
  std::filesystem::remove_all(folder);
  EXPECT_FALSE(readMeasured(folder));
}
} // namespace
} // namespace tessera::vgpu
