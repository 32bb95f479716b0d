// What the main loop of GEMM holds on NVIDIA chips, counted in its PTX and by the virtual GPUs: hardly more than matrix
// operations and what feeds them.
#include "bench/kernel_timer.h"
#include "bench/op_cases.h"
#include "compiler/assembler.h"
#include "compiler/compile.h"
#include "tests/bench/ptx_loop.h"
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tessera::bench {
namespace {

TEST(PtxLoop, CountsTheInnermostLoops) {
  const char *ptx =
      ".visible .entry other(\n)\n{\n$L0:\n\tmma.sync.x {%r1},\n\t\t{%r2};\n\tbra $L0;\n}\n"
      ".visible .entry k(\n\t.param .u64 k_param_0\n)\n{\n\t.reg .b32 %r<9>;\n"
      "$L1:                    // =>This Loop Header\n\tadd.s32 %r1, %r1, 1;\n"
      "$L2:\n\t.loc 1 7 0\n\t// begin inline asm\n"
      "\t{ .reg .b32 n; selp.b32 n, 16, 0, %p1; @%p2 cp.async.cg.shared.global [%r1+16], [%rd1], 16, n; }\n"
      "\tldmatrix.sync.x {%r1, %r2}, [%r3];\n\tmma.sync.x\n\t\t{%r1, %r2},\n\t\t{%r3};\n"
      "\t@%p1 bra $L3;\n\tmov.b32 %r2, 0;\n$L3:\n\t@%p2 bra $L2;\n"
      "\tld.global.nc.v4.b32 {%r1, %r2, %r3, %r4}, [%rd1];\n\tst.global.b16 [%rd1], %rs1;\n"
      "\t@%p3 bra $L1;\n\tret;\n}\n";
  std::vector<PtxLoop> loops = matrixLoops(ptx, "k");
  ASSERT_EQ(loops.size(), 1u);
  EXPECT_EQ(loops[0].mma, 1);
  EXPECT_EQ(loops[0].ldmatrix, 1);
  EXPECT_EQ(loops[0].other, 5); // selp, cp.async, bra, mov, bra
  EXPECT_EQ(globalAccesses(ptx, "k"), (std::vector<int64_t>{16, 16, 2}));
  EXPECT_TRUE(matrixLoops(ptx, "none").empty());
}

class MainLoopOn : public testing::TestWithParam<std::string> {
protected:
  const ops::OpInfo &op = **ops::findOp("gemm");
  const ops::OpRequest request = {f16, "bm=128,bn=128,bk=32", {{"M", 256}, {"N", 256}, {"K", 128}}};
};

TEST_P(MainLoopOn, IsMatrixOperationsAndWhatFeedsThem) {
  const Target &target = **findTarget(GetParam());
  Artifact made = compile(op.trace(request, target).value(), target).value();
  EXPECT_EQ(made.block.threads[0], 128);
  std::vector<PtxLoop> loops = matrixLoops(made.bytes, made.alignedEntry);
  ASSERT_FALSE(loops.empty());
  PtxLoop interior = loops[0];
  for (const PtxLoop &loop : loops)
    if (loop.other < interior.other)
      interior = loop;
  // 64 x 64 x 32 a warp.
  EXPECT_EQ(interior.mma, target.has("f16_mma") ? 64 : 128);
  double fed = double(interior.mma) / double(interior.mma + interior.ldmatrix);
  double others = double(interior.other) / double(interior.mma);
  std::printf("%s: mma %ld, ldmatrix %ld, others %ld: %.3f, %.3f\n", GetParam().c_str(), long(interior.mma),
              long(interior.ldmatrix), long(interior.other), fed, others);
  EXPECT_GE(fed, 0.75);
  EXPECT_LE(others, target.has("cp_async") ? 0.5 : 0.8);
  for (int64_t bytes : globalAccesses(made.bytes, made.alignedEntry))
    EXPECT_EQ(bytes, 16);
}

// Three blocks of 128 threads share 65536 registers on sm_80 to 89; sm_75 brings a step's operands through 32 of them.
TEST_P(MainLoopOn, TakesFewRegistersAndSpillsNone) {
  std::optional<Assembler> assembler = *findAssembler();
  if (!assembler)
    GTEST_SKIP() << "no ptxas on PATH or in CUDA_HOME";
  const Target &target = **findTarget(GetParam());
  for (int transposed : {0, 1}) {
    ops::OpRequest other = request;
    other.sizes["transposed"] = transposed;
    Artifact made = compile(op.trace(other, target).value(), target).value();
    ASSERT_TRUE(assemble(*assembler, target, made));
    EXPECT_LE(made.alignedResources.registers, target.has("cp_async") ? 168 : 184) << "transposed " << transposed;
    EXPECT_EQ(made.alignedResources.spillBytes, 0) << "transposed " << transposed;
    EXPECT_EQ(made.resources.spillBytes, 0) << "transposed " << transposed;
  }
}

TEST_P(MainLoopOn, MeetsNoBankTwice) {
  Device device = Device::open("virtual:" + GetParam()).value();
  Program program = op.trace(request, device.target()).value();
  LoadedKernel kernel = load(device, program).value();
  auto arguments = argumentsOf(device, program.signature, sizesOf(op, request.sizes)).value();
  Stream stream = device.stream().value();
  ASSERT_TRUE(kernel.launchAll(stream, arguments->args));
  ASSERT_TRUE(stream.synchronize());
  auto report = nlohmann::json::parse(device.impl().launchReport());
  EXPECT_TRUE(report["findings"].empty());
  EXPECT_GT(report["counters"]["shared_wavefronts"].get<int64_t>(), 0);
  EXPECT_EQ(report["counters"]["bank_conflict_degree"].get<double>(), 1.0);
  EXPECT_EQ(report["counters"]["matrix_load_degree"].get<double>(), 1.0);
  EXPECT_EQ(report["counters"]["global_requests_by_width"].size(), 1u); // 16 bytes
}

INSTANTIATE_TEST_SUITE_P(, MainLoopOn, testing::Values("t4", "a10g", "a100", "l4"),
                         [](const auto &chip) { return chip.param; });

} // namespace
} // namespace tessera::bench
