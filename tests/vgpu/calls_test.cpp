// Calls that nvcc compiled: recursion, pointers to functions, virtual functions, and what stops a kernel on purpose.
#include "tests/vgpu/cuda_api.h"
#include <algorithm>
#include <functional>
#include <random>

namespace {

class Calls : public VirtualGpu {
protected:
  void SetUp() override {
    VirtualGpu::SetUp();
    module = load("calls");
  }
  void *kernel(const char *name) { return function(module, name); }
  void *module = nullptr;
};

int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
int odd(int n, int *trail, int depth);
int even(int n, int *trail, int depth) {
  int mine[3] = {n, n + 1, depth};
  if (n == 0)
    return trail[depth % 3] + 1000;
  int r = odd(n - 1, mine, depth + 1);
  return r + mine[0] + trail[0];
}
int odd(int n, int *trail, int depth) {
  int mine[3] = {2 * n, depth, n};
  trail[0] += depth;
  if (n == 0)
    return trail[1] + 2000;
  int r = even(n - 1, mine, depth + 1);
  return r ^ mine[2] ^ trail[0];
}

TEST_F(Calls, RecursionToDepthsThatDifferByLane) {
  const int n = 100;
  std::vector<int> x(n);
  for (int i = 0; i < n; ++i)
    x[size_t(i)] = i * 37 % 101;
  auto dx = upload(x), out = zeros<int>(n);
  ASSERT_EQ(launch(kernel("recursion"), {1}, {128}, 0, dx, out, n), 0) << findings();
  auto got = download<int>(out, n);
  for (size_t i = 0; i < n; ++i) {
    int start[3] = {x[i], 7, 9};
    int f = fibonacci(x[i] % 11), e = even(x[i] % 7, start, 0);
    ASSERT_EQ(got[i], f * 100000 + (e ^ start[0])) << i;
  }
}

TEST_F(Calls, QuicksortInEveryThread) {
  const int threads = 40, columns = 33;
  std::mt19937 generator(3);
  std::vector<int> rows(threads * columns);
  for (int &v : rows)
    v = int(generator() % 50);
  auto d = upload(rows);
  ASSERT_EQ(launch(kernel("sortRows"), {1}, {threads}, 0, d, columns), 0) << findings();
  auto got = download<int>(d, rows.size());
  for (int t = 0; t < threads; ++t) {
    std::vector<int> want(rows.begin() + t * columns, rows.begin() + (t + 1) * columns);
    std::sort(want.begin(), want.end());
    ASSERT_TRUE(std::equal(want.begin(), want.end(), got.begin() + t * columns)) << "thread " << t;
  }
}

TEST_F(Calls, FunctionsByTheirAddress) {
  const int n = 90;
  std::vector<int> which(n);
  std::vector<float> a(n), b(n);
  for (int i = 0; i < n; ++i) {
    which[size_t(i)] = i * i % 7;
    a[size_t(i)] = float(i) - 40;
    b[size_t(i)] = float(i % 5) - 1;
  }
  auto dw = upload(which), da = upload(a), db = upload(b), out = zeros<float>(n);
  ASSERT_EQ(launch(kernel("pointers"), {1}, {96}, 0, dw, da, db, out, n), 0) << findings();
  auto got = download<float>(out, n);
  std::function<float(float, float)> table[] = {[](float x, float y) { return x + y + 1; },
                                                [](float x, float y) { return x * y; },
                                                [](float x, float y) { return x > y ? x : y; }};
  for (size_t i = 0; i < n; ++i) {
    float r = 0;
    for (int k = 0; k < 2; ++k)
      r = table[(which[i] + k) % 3](r + a[i], b[i]);
    ASSERT_EQ(got[i], r) << i;
  }
}

TEST_F(Calls, VirtualFunctions) {
  const int n = 64;
  std::vector<int> which(n);
  for (int i = 0; i < n; ++i)
    which[size_t(i)] = i * 13 % 8;
  auto dw = upload(which), out = zeros<float>(n);
  ASSERT_EQ(launch(kernel("virtuals"), {1}, {64}, 0, dw, out, n), 0) << findings();
  auto got = download<float>(out, n);
  for (int i = 0; i < n; ++i) {
    float square = float(i) * float(i), triangle = 0.5f * float(2 * i) * float(2 * i);
    bool odd = which[size_t(i)] & 1;
    float areas[] = {square, triangle, 0.25f + (odd ? square : triangle), 0.5f + 0.25f + (odd ? square : triangle)};
    int sides[] = {4, 3, 1 + (odd ? 4 : 3), 2 + (odd ? 4 : 3)};
    int k = which[size_t(i)] % 4;
    ASSERT_EQ(got[size_t(i)], areas[k] * 10 + float(sides[k])) << i;
  }
}

TEST_F(Calls, PrintfOnTheWayDown) {
  auto out = zeros<int>(1);
  testing::internal::CaptureStdout();
  int code = launch(kernel("talking"), {1}, {1}, 0, out);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "at 3 of countdown, 37.5% d\nat 2 of countdown, 25.0% c\n"
                                                    "at 1 of countdown, 12.5% b\nat 0 of countdown, 0.0% a\n");
  ASSERT_EQ(code, 0) << findings();
  EXPECT_EQ(download<int>(out, 1)[0], 3);
}

TEST_F(Calls, AFailedAssertStopsTheKernel) {
  std::vector<int> x{1, 2, 3, 40};
  auto dx = upload(x);
  EXPECT_EQ(launch(kernel("asserts"), {1}, {4}, 0, dx, 50), 0) << findings();
  EXPECT_EQ(launch(kernel("asserts"), {1}, {4}, 0, dx, 30), 710);
  EXPECT_NE(findings().find("assertion `v < limit' failed"), std::string::npos) << findings();
  EXPECT_NE(findings().find("thread (3,0,0)"), std::string::npos) << findings();
}
TEST_F(Calls, ATrapStopsTheKernel) {
  std::vector<int> x{1, 2, 5, 4};
  auto dx = upload(x);
  EXPECT_NE(launch(kernel("traps"), {1}, {4}, 0, dx), 0);
  EXPECT_NE(findings().find("executed trap"), std::string::npos) << findings();
}
TEST_F(Calls, AnEndlessRecursionIsReported) {
  auto out = zeros<int>(8);
  EXPECT_NE(launch(kernel("overflows"), {1}, {1}, 0, out), 0);
  EXPECT_NE(findings().find("the stack of calls is full"), std::string::npos) << findings();
}
TEST_F(Calls, ACallOfNoFunctionIsReported) {
  auto out = zeros<float>(1);
  EXPECT_NE(launch(kernel("wild"), {1}, {1}, 0, (long long)out, out), 0);
  EXPECT_NE(findings().find("calls an address that is no function"), std::string::npos) << findings();
}

// Another name of a function, as compilers write it for constructors.
TEST_F(Calls, AnAliasIsTheFunction) {
  std::string text =
      ".version 8.0\n.target sm_75\n.address_size 64\n.func (.param .b32 r) other(.param .b32 a);\n"
      ".func (.param .b32 r) twice(.param .b32 a)\n{\n.reg .b32 %r<3>;\nld.param.b32 %r1, [a];\n"
      "shl.b32 %r2, %r1, 1;\nst.param.b32 [r], %r2;\nret;\n}\n.alias other, twice;\n"
      ".visible .entry k(.param .u64 out)\n{\n.reg .b32 %r<9>;\n.reg .b64 %rd<4>;\n.param .b32 x;\n.param .b32 y;\n"
      "ld.param.u64 %rd1, [out];\nmov.u32 %r1, 21;\nst.param.b32 [x], %r1;\ncall (y), other, (x);\n"
      "ld.param.b32 %r2, [y];\nst.global.u32 [%rd1], %r2;\nret;\n}\n";
  auto out = zeros<unsigned>(1);
  ASSERT_EQ(launch(function(loadText(text), "k"), {1}, {1}, 0, out), 0) << findings();
  EXPECT_EQ(download<unsigned>(out, 1)[0], 42u);
}

// A guarded call and a guarded indexed branch, as hand-written PTX has them.
TEST_F(Calls, GuardedCallsAndBranches) {
  std::string text = ".version 8.0\n.target sm_75\n.address_size 64\n"
                     ".func (.param .b32 r) twice(.param .b32 a)\n{\n.reg .b32 %r<3>;\nld.param.b32 %r1, [a];\n"
                     "shl.b32 %r2, %r1, 1;\nst.param.b32 [r], %r2;\nret;\n}\n"
                     ".visible .entry k(.param .u64 out)\n{\n.reg .pred %p<3>;\n.reg .b32 %r<9>;\n.reg .b64 %rd<4>;\n"
                     ".param .b32 x;\n.param .b32 y;\nld.param.u64 %rd1, [out];\nmov.u32 %r1, %tid.x;\n"
                     "mad.wide.u32 %rd1, %r1, 4, %rd1;\nsetp.lt.u32 %p1, %r1, 10;\nsetp.ge.u32 %p2, %r1, 20;\n"
                     "mov.u32 %r2, 5;\nst.param.b32 [x], %r1;\nst.param.b32 [y], %r2;\n"
                     "@%p1 call (y), twice, (x);\nld.param.b32 %r2, [y];\nand.b32 %r3, %r1, 1;\n"
                     "T: .branchtargets A, B;\n@!%p2 brx.idx %r3, T;\nadd.u32 %r2, %r2, 1000;\nbra.uni END;\n"
                     "A: add.u32 %r2, %r2, 100;\nbra END;\nB: add.u32 %r2, %r2, 200;\nEND:\n"
                     "st.global.u32 [%rd1], %r2;\nret;\n}\n";
  auto out = zeros<unsigned>(32);
  ASSERT_EQ(launch(function(loadText(text), "k"), {1}, {32}, 0, out), 0) << findings();
  auto got = download<unsigned>(out, 32);
  for (unsigned l = 0; l < 32; ++l)
    ASSERT_EQ(got[l], (l < 10 ? 2 * l : 5) + (l >= 20 ? 1000 : l & 1 ? 200 : 100)) << l;
}

} // namespace
