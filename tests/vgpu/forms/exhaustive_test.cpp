// Conversions without a gap: all 65536 halves and byte pairs, and for f32 every tie of the narrower formats with its
// neighbours. The rows are those of the table of forms.
#include "tests/vgpu/cuda_api.h"
#include "tests/vgpu/forms/forms.h"
#include <algorithm>

namespace {
using namespace forms;

class Exhaustive : public VirtualGpu {
protected:
  // Runs a row on the given operands, a cell each; the first difference is reported.
  void check(const Row &row, const std::vector<u64> &in) {
    size_t n = row.operands.size(), count = in.size() / n / 256 * 256;
    auto din = upload(in), out = zeros<u64>(count), memory = zeros<u64>(1024);
    void *module = loadText(moduleFor(row, arch));
    ASSERT_TRUE(module) << row.form;
    int code = launch(function(module, "k"), {unsigned(count / 256)}, {256}, 0, din, out, memory);
    ASSERT_EQ(code, 0) << row.form << "\n" << findings();
    auto got = download<u64>(out, count);
    for (size_t i = 0; i < count; ++i) {
      u64 want = row.expected(&in[i * n]);
      bool nans =
          row.result == Kind::single && std::isnan(fromCell<float>(want)) && std::isnan(fromCell<float>(got[i]));
      nans |= row.result == Kind::real && std::isnan(fromCell<double>(want)) && std::isnan(fromCell<double>(got[i]));
      ASSERT_TRUE(got[i] == want || nans)
          << row.form << std::hex << " of " << in[i * n] << " gives " << got[i] << ", the ISA says " << want;
    }
    cuModuleUnload(module);
    for (CUdeviceptr p : {din, out, memory})
      cuMemFree_v2(p);
  }
};

bool isConversion(const Row &row) { return row.form.find("cvt.") != std::string::npos && row.tolerance == 0; }

TEST_F(Exhaustive, AllHalvesAndBytePairs) {
  std::vector<u64> all(65536);
  for (u64 k = 0; k < all.size(); ++k)
    all[k] = k;
  int rows = 0;
  for (const Row &row : allRows()) {
    bool small = row.operands.size() == 1 &&
                 (row.operands[0] == Kind::half || row.operands[0] == Kind::brain || row.operands[0] == Kind::bits16);
    if (!small || row.tolerance != 0 || row.arch > arch || row.form.find("ld.") != std::string::npos)
      continue;
    check(row, all);
    ++rows;
    if (HasFatalFailure())
      return;
  }
  EXPECT_GE(rows, 60);
}

// Pairs of halves into bytes: each half in each place.
TEST_F(Exhaustive, AllHalvesIntoBytes) {
  if (arch < 89)
    GTEST_SKIP() << "8-bit floating point needs sm_89";
  std::vector<u64> all(65536);
  for (u64 k = 0; k < all.size(); ++k)
    all[k] = k << 16 | ((k * 40503) & 0xffff); // an odd factor: a permutation
  int rows = 0;
  for (const Row &row : allRows())
    if (isConversion(row) && row.operands == std::vector<Kind>{Kind::half2})
      check(row, all), ++rows;
  EXPECT_EQ(rows, 4);
}

TEST_F(Exhaustive, EveryTieOfTheNarrowFormats) {
  std::vector<float> values;
  auto around = [&](float a, float b) { // the tie between two neighbours, and what is next to it
    auto tie = float((double(a) + b) / 2);
    for (float v : {a, tie, std::nextafter(tie, a), std::nextafter(tie, b)})
      values.push_back(v);
  };
  for (u32 k = 0; k < 65536; k += 3) {
    f16 h{u16(k)}, next{u16(k + 1)};
    if (std::isfinite(number(h)) && std::isfinite(number(next)))
      around(float(number(h)), float(number(next)));
  }
  for (u32 k = 1; k < 65536; k += 5) {
    bf16 h{u16(k)}, next{u16(k + 1)};
    if (std::isfinite(number(h)) && std::isfinite(number(next)))
      around(float(number(h)), float(number(next)));
  }
  for (u32 mantissa = 0; mantissa < 128; ++mantissa) // of e4m3, e5m2 and tf32, which f16 and bf16 do not have
    for (int e = -20; e < 20; ++e)
      for (int bits : {3, 4, 5, 12}) {
        float v = std::ldexp(1 + float(mantissa) / float(1 << bits), e);
        around(v, -v), around(v, std::ldexp(1 + float(mantissa + 1) / float(1 << bits), e));
      }
  for (float v :
       {INFINITY,       -INFINITY,     NAN,           0.0f,           -0.0f,         65504.0f,      65519.99f,
        65520.0f,       448.0f,        464.0f,        464.1f,         57344.0f,      61440.0f,      3.38953139e38f,
        3.39615137e38f, 3.4028234e38f, 2147483648.0f, -2147483648.0f, 4294967040.0f, 9.2233720e18f, 1.8446744e19f,
        0.5f,           1.5f,          2.5f,          -0.5f,          -1.5f,         254.5f,        255.5f,
        -128.5f,        127.5f})
    values.push_back(v);
  values.resize(values.size() / 256 * 256);
  int rows = 0;
  for (const Row &row : allRows()) {
    bool singles = !row.operands.empty() &&
                   std::all_of(row.operands.begin(), row.operands.end(), [](Kind k) { return k == Kind::single; });
    if (!isConversion(row) || !singles || row.arch > arch)
      continue;
    std::vector<u64> in;
    for (size_t i = 0; i < values.size(); ++i)
      for (size_t k = 0; k < row.operands.size(); ++k)
        in.push_back(std::bit_cast<u32>(values[(i + 101 * k) % values.size()]));
    check(row, in);
    ++rows;
    if (HasFatalFailure())
      return;
  }
  EXPECT_GE(rows, 35);
}

} // namespace
