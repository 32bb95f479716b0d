// What a user of the modelled time would notice: it grows with the work, steps with the waves, and names what bounds.
#include "runtime/vgpu/model/calibration.h"
#include "runtime/vgpu/model/library_kernels.h"

#include <gtest/gtest.h>

namespace tessera::vgpu {
namespace {
Estimate run(const Chip &chip, const LaunchShape &shape, const Counts &counts) {
  return estimate(chip, calibrationOf(chip.id).constants, shape, counts);
}

double elementwise(const Chip &chip, double elements) {
  const Work work = elementwiseWork({elements, 1, 0, 4, elements / 1024, 128});
  return run(chip, work.shape, work.counts).microseconds;
}

TEST(Estimate, TwiceTheBytesTakeTwiceAsLong) {
  for (const Chip &chip : chips()) {
    const double once = elementwise(chip, 1 << 28), twice = elementwise(chip, 1 << 29);
    EXPECT_NEAR(twice / once, 2, 0.05) << chip.id;
    // 2 GiB moved cannot beat the DRAM's peak, nor take twice what the peak allows.
    const double peak = 8.0 * (1 << 28) / chip.rates.dramGBs / 1e3;
    EXPECT_GT(once, peak) << chip.id;
    EXPECT_LT(once, 2 * peak) << chip.id;
  }
}

TEST(Estimate, AnEmptyKernelCostsItsLaunch) {
  for (const Chip &chip : chips()) {
    const Estimate e = run(chip, {1, 32, 16, 0}, {});
    EXPECT_GE(e.microseconds, chip.rates.launchUs) << chip.id;
    EXPECT_LT(e.microseconds, chip.rates.launchUs + 5) << chip.id;
  }
}

TEST(Estimate, OneBlockMoreThanAWaveCostsARound) {
  for (const Chip &chip : chips()) {
    // 512 threads with 128 registers: one block an SM everywhere.
    const auto at = [&](double blocks) {
      Counts counts;
      counts.fma = blocks * 16 * 1e5;
      const Estimate e = run(chip, {blocks, 512, 128, 0}, counts);
      EXPECT_EQ(e.occupancy.blocksPerSm, 1u) << chip.id;
      return e.microseconds;
    };
    const double sms = chip.sms, wave = at(sms);
    EXPECT_NEAR(at(sms + 1) / wave, 2, 0.02) << chip.id;
    EXPECT_NEAR(at(2 * sms) / at(sms + 1), 1, 1e-6) << chip.id;
    EXPECT_NEAR(at(1) / wave, 1, 1e-6) << chip.id;
  }
}

TEST(Estimate, MoreOfAnyCountIsNeverFaster) {
  double Counts::*const members[] = {&Counts::fma,     &Counts::half,     &Counts::integer, &Counts::special,
                                     &Counts::fp64,    &Counts::memory,   &Counts::other,   &Counts::sharedWavefronts,
                                     &Counts::l2Bytes, &Counts::dramBytes};
  for (const Chip &chip : chips())
    for (const auto member : members) {
      double before = 0;
      for (double amount = 1e3; amount < 1e12; amount *= 7) {
        Counts counts;
        counts.fma = 1e6;
        counts.*member = amount;
        const double now = run(chip, {1000, 256, 64, 0}, counts).microseconds;
        EXPECT_GE(now, before) << chip.id;
        before = now;
      }
      EXPECT_GT(before, 100) << chip.id; // and in the end it is what bounds
    }
}

TEST(Estimate, NamesWhatBounds) {
  const Chip &chip = *chipNamed("h100");
  const LaunchShape shape{10000, 256, 32, 0};
  const auto boundOf = [&](double Counts::*member) {
    Counts counts;
    counts.*member = 1e10;
    return run(chip, shape, counts).bound;
  };
  EXPECT_EQ(boundOf(&Counts::special), "special");
  EXPECT_EQ(boundOf(&Counts::sharedWavefronts), "shared");
  EXPECT_EQ(boundOf(&Counts::dramBytes), "dram");
  EXPECT_EQ(boundOf(&Counts::memory), "issue");
  EXPECT_EQ(boundOf(&Counts::fp64), "fp64");
  Counts tensor;
  tensor.tensorFlop[size_t(TensorType::f16)] = 1e15;
  EXPECT_EQ(run(chip, shape, tensor).bound, "tensor");
}

TEST(Estimate, TensorRatesFollowTheDatasheet) {
  const Chip &chip = *chipNamed("h100");
  const auto flops = [&](TensorType type) {
    Counts counts;
    counts.tensorFlop[size_t(type)] = 1e15;
    return run(chip, {132000, 128, 128, 0}, counts).tensor;
  };
  EXPECT_NEAR(flops(TensorType::f16) / flops(TensorType::fp8), 2, 1e-9);
  EXPECT_NEAR(flops(TensorType::tf32) / flops(TensorType::f16), 2, 1e-9);
  EXPECT_GT(1e15 / flops(TensorType::f16) * 1e-6, 500); // TFLOP/s: below the 1071 at boost, above half
  EXPECT_LT(1e15 / flops(TensorType::f16) * 1e-6, 1071);
}

TEST(Estimate, NoWarpsNoSpeed) {
  // One warp an SM leaves most of the latency in the open; eight hide it.
  const Chip &chip = *chipNamed("t4");
  const auto at = [&](uint32_t threads) {
    Counts counts;
    counts.fma = 40 * 1e6;
    return run(chip, {40, threads, 64, 0}, counts).sm;
  };
  EXPECT_GT(at(32), 1.1 * at(256));
}

TEST(Estimate, ABlockThatDoesNotFitSaysSo) {
  const Chip &chip = *chipNamed("t4");
  const Estimate e = run(chip, {100, 128, 32, 65 * 1024}, {});
  EXPECT_EQ(e.occupancy.blocksPerSm, 0u);
  EXPECT_NE(explain(e).find("does not fit an SM (shared memory)"), std::string::npos);
}

TEST(Estimate, ExplainsItself) {
  const Chip &chip = *chipNamed("a100");
  Counts counts;
  counts.dramBytes = counts.l2Bytes = 1e9;
  const Estimate e = run(chip, {1000, 256, 32, 0}, counts);
  EXPECT_NE(explain(e).find("bound by dram"), std::string::npos) << explain(e);
  const std::string json = explainJson(e);
  EXPECT_NE(json.find("\"bound\": \"dram\""), std::string::npos) << json;
  EXPECT_NE(json.find("\"blocks_per_sm\": 8"), std::string::npos) << json;
}

TEST(Calibration, EveryChipHasOneAndBorrowedOnesSaySo) {
  for (const Chip &chip : chips())
    EXPECT_NE(calibrationOf(chip.id).fittedOn, "") << chip.id;
  EXPECT_EQ(calibrationOf("t4").fittedOn, "t4");
  EXPECT_EQ(calibrationOf("h200").fittedOn, "h100");
  EXPECT_EQ(calibrationOf("no-such-chip").fittedOn, "");
}

TEST(Gemm, AKernelWithoutATileIsRefused) {
  const auto work = gemmWork(*chipNamed("t4"), {}, "void at::native::gemv", {});
  ASSERT_FALSE(work);
  EXPECT_NE(work.error().message.find("no tile"), std::string::npos);
}

TEST(Gemm, CountsFollowTheGrid) {
  // 768 x 768 from 512, 6 x 6 tiles of 128: every tile is full, so FMAs are exact.
  const auto work = gemmWork(*chipNamed("t4"), {}, "volta_sgemm_128x128_tn", {1, 768, 512, 768, true, 6, 6, 1, 256});
  ASSERT_TRUE(work);
  EXPECT_EQ(work->counts.fma * 32, 768.0 * 768 * 512);
  EXPECT_EQ(work->shape.blocks, 36);
  EXPECT_EQ(occupancy(*chipNamed("t4"), work->shape).blocksPerSm, 2u); // as the vendor's kernel of that name
}
} // namespace
} // namespace tessera::vgpu
