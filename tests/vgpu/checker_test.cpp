// Each kind of finding: a kernel of nvcc's that is clean (clean_test.cpp runs it) with one line changed, and what the
// report then says. Kernels that nvcc would not write are given as PTX, the clean twin beside the wrong one.
#include "tests/vgpu/kernel_cases.h"
#include "tests/vgpu/mutants.h"
#include <algorithm>

namespace {

struct Edit {
  const char *kernel;
  const char *find; // in a line of the kernel
  int which;        // of the lines that contain it, from 0; -1 all
  const char *instead;
  std::vector<const char *> says;
};

void PrintTo(const Edit &e, std::ostream *out) { *out << e.kernel << ": " << e.find << " -> " << e.instead; }

class EditedKernel : public testing::TestWithParam<Edit> {};

TEST_P(EditedKernel, IsReported) {
  const Edit &edit = GetParam();
  ASSERT_EQ(cuInit(0), 0);
  CaseRunner runner;
  auto all = runner.cases();
  auto c = std::find_if(all.begin(), all.end(), [&](const KernelCase &k) { return k.kernel == edit.kernel; });
  ASSERT_NE(c, all.end());
  std::string text;
  int seen = 0, changed = 0;
  for (const std::string &line : splitLines(CaseRunner::textOf(*c))) {
    bool here = line.find(edit.find) != line.npos && (edit.which < 0 || seen++ == edit.which);
    changed += here;
    text += (here ? std::string(edit.instead) : line) + "\n";
  }
  ASSERT_GT(changed, 0) << "the kernel has no such line";
  std::string said;
  bool reported = false;
  for (uint64_t seed = 0; seed < 8 && !reported; ++seed) { // an order in which it matters
    tesseraVgpuSchedule(seed);
    reported = !runner.attempt(*c, text);
    said = tesseraVgpuFindings();
  }
  tesseraVgpuSchedule(0);
  ASSERT_TRUE(reported);
  for (const char *part : edit.says)
    EXPECT_NE(said.find(part), said.npos) << part << " is not in: " << said;
  // Where, in every finding: kernel, PTX line, block, thread, address, line of the source.
  for (std::string part : {std::string("in ") + edit.kernel + ", PTX line ", std::string("by block ("),
                           std::string("thread ("), std::string("address 0x"), std::string("\n  at ")})
    EXPECT_NE(said.find(part), said.npos) << part << " is not in: " << said;
}

const Edit edits[] = {
    // Registers of wgmma in flight, wgmma.fence, shared memory that wgmma reads.
    {"twoConsumers",
     "wgmma.wait_group.sync.aligned 0",
     0,
     "",
     {"missing wait", "an accumulator of a wgmma that is in flight"}},
    {"fromRegisters", "wgmma.wait_group", 0, "", {"missing wait", "a register of A of a wgmma that is in flight"}},
    {"twoConsumers", "wgmma.fence", 0, "", {"missing fence", "first wgmma has no wgmma.fence"}},
    {"fromRegisters", "wgmma.fence", 0, "", {"missing fence", "wgmma.fence"}},
    {"twoConsumers", "wgmma.wait_group.sync.aligned 1", 0, "", {"missing wait"}},
    {"twoConsumers", "wgmma.commit_group", 0, "", {"missing wait"}},
    // Bulk stores: the source is overwritten, the thread ends.
    {"bulkRing", "cp.async.bulk.wait_group.read", -1, "", {"missing wait", "cp.async.bulk.wait_group.read is missing"}},
    {"bulkRing", "cp.async.bulk.wait_group 0", 0, "", {"missing wait", "the thread ends while its bulk copy"}},
    {"bulkRing", "cp.async.bulk.commit_group", -1, "", {"missing wait"}},
    // The cluster: distributed shared memory, blocks that may not run yet, or any more.
    {"clusterReduce", "barrier.cluster.wait", 2, "", {"race", "of the cluster"}},
    {"clusterReduce", "barrier.cluster.arrive", 0, "", {"deadlock", "waits for the cluster"}},
    {"neighbours", "barrier.cluster.wait", 0, "", {"race", "before it is known to run"}},
    {"neighbours", "barrier.cluster.wait", 1, "", {"race", "the block ends while", "may still use its shared memory"}},
    {"clusterPipeline", "fence.mbarrier_init", 0, "", {"race", "uses the mbarrier", "initialises"}},
    {"wgmmaGemm", "fence.mbarrier_init", 0, "", {"missing fence", "initialised without a fence"}},
    {"multicast", "barrier.cluster", -1, "", {"race"}},
    // Lanes of one warp, with whole and with half masks; what an elected lane hands on for the others.
    {"warpTranspose", "bar.warp.sync", 0, "", {"race", "of the same warp", "no bar.warp.sync between"}},
    {"halfWarps", "bar.warp.sync", 1, "", {"race", "of the same warp"}},
    {"mmaTuring", "bar.warp.sync", 0, "", {"race", "of the same warp"}},
    {"clusterPipeline", "bar.warp.sync", 0, "", {"race"}},
    // Proxies, both ways.
    {"bulkRing", "fence.proxy.async", -1, "", {"missing fence", "async proxy reads", "fence.proxy.async is missing"}},
    {"proxies", "fence.proxy.async", -1, "", {"missing fence", "fence.proxy.async is missing"}},
    // mbarriers: parity, bytes, arrivals, phases that nobody saw, initialised twice, invalidated in use.
    {"copyArrive", "mbarrier.init", 0, "", {"mbarrier", "there is no initialised mbarrier"}},
    {"phases", "mbarrier.inval", 0, "trap;", {"trap"}},
    {"proxies", "mbarrier.arrive.expect_tx", -1, "", {"deadlock", "bytes are missing"}},
    {"twoConsumers", "@%p6 bra", 0, "", {"mbarrier"}},
    // Waits.
    {"gemm2", "cp.async.wait_group", 0, "", {"missing wait", "asynchronous copy", "in flight"}},
    {"proxies", "mbarrier.try_wait", 0, "setp.eq.u32 done, 0, 0;", {"race", "with no barrier between"}},
    {"sharedLock", "membar", -1, "", {"race", "no barrier between"}},
    {"sgemm", "bar.sync", 1, "", {"race", "between"}},
    {"scan", "bar.sync", 1, "", {"uninitialised", "nobody in the block has written"}},
    // setmaxnreg: more than the block has, and the wrong way.
    {"twoConsumers", "setmaxnreg.dec", 0, "", {"deadlock", "waits for registers"}},
    {"twoConsumers", "setmaxnreg.inc", 0, "setmaxnreg.inc.sync.aligned.u32 240;", {"deadlock", "waits for registers"}},
    {"twoConsumers", "setmaxnreg.inc", 0, "setmaxnreg.dec.sync.aligned.u32 232;", {"setmaxnreg.dec to 232"}},
    // A hang: who waits where, and for what.
    {"producerConsumer",
     "bar.arrive",
     2,
     "",
     {"deadlock", "warp 0", "warp 4", "waits for barrier", "of 160 threads have arrived"}},
};

INSTANTIATE_TEST_SUITE_P(Checker, EditedKernel, testing::ValuesIn(edits),
                         [](const auto &info) { return std::string(info.param.kernel) + std::to_string(info.index); });

// PTX that nvcc would not write: `body` in a kernel of one pointer parameter, with registers and shared memory.
class Written : public VirtualGpu {
protected:
  std::string run(const std::string &body, unsigned threads, const char *directives = "") {
    std::string text = ".version 8.3\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 p) " +
                       std::string(directives) +
                       "\n{\n.reg .pred %p<8>; .reg .b32 %r<16>; .reg .b64 %rd<8>; .reg .f32 %f<40>;\n"
                       ".shared .align 128 .b8 s[4096];\n"
                       "ld.param.u64 %rd0, [p];\nmov.u32 %r0, %tid.x;\nmov.u32 %r1, %laneid;\nmov.u32 %r2, s;\n"
                       "shl.b32 %r3, %r0, 2;\nadd.u32 %r3, %r3, %r2;\n" +
                       body + "\nret;\n}\n";
    cuDevicePrimaryCtxReset_v2(0);
    cuDevicePrimaryCtxRetain(&context, 0);
    cuCtxSetCurrent(context);
    auto out = zeros<float>(1024);
    void *module = loadText(text);
    if (!module)
      return "not loaded";
    return launch(function(module, "k"), {1}, {threads}, 0, out) == 0 ? "" : findings();
  }
  void expect(const std::string &said, const char *part) { EXPECT_NE(said.find(part), said.npos) << said; }
};

TEST_F(Written, LanesMayStoreOneValueToOnePlaceAndNotTwo) {
  EXPECT_EQ(run("st.shared.u32 [%r2], 7;", 32), "");
  expect(run("st.shared.u32 [%r2], %r1;", 32), "another lane of the same warp wrote with another value");
}

TEST_F(Written, AlignedBarriersAreForWholeWarps) {
  const char *parts = "setp.lt.u32 %p0, %r1, 16;\n";
  EXPECT_EQ(run("bar.sync 0;", 64), "");
  EXPECT_EQ(run(std::string(parts) + "@%p0 barrier.sync 1, 64;\n@!%p0 barrier.sync 1, 64;", 64), "");
  expect(run(std::string(parts) + "@%p0 bar.sync 1, 64;\n@!%p0 bar.sync 1, 64;", 64), "divergence");
  expect(run(std::string(parts) + "@%p0 bra A;\nbar.sync 1;\nbra B;\nA:\nbar.sync 1;\nB:", 64),
         "by different .aligned instructions");
  expect(run(std::string(parts) + "@%p0 bar.sync 1, 32;", 64), "only some lanes of the warp");
}

TEST_F(Written, CollectivesOfAWarpThatParted) {
  expect(
      run("setp.lt.u32 %p0, %r1, 16;\nmov.u32 %r4, 0;\n@%p0 bra A;\n"
          "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%f0,%f1,%f2,%f3}, {%r4,%r4}, {%r4}, {%f4,%f4,%f4,%f4};\n"
          "bra B;\nA:\nbar.warp.sync 0xffffffff;\nB:",
          32),
      "lanes of one warp wait at different instructions");
}

TEST_F(Written, AccumulatorsOfAnotherShapeNeedAFence) {
  // K-major tiles without a swizzle: 8 x 16-byte atoms follow each other.
  auto two = [](const char *between) {
    std::string fill;
    for (int i = 0; i < 8; ++i)
      fill += "st.shared.u32 [%r3+" + std::to_string(512 * i) + "], 0;\n";
    return fill +
           "fence.proxy.async.shared::cta;\nbar.sync 0;\nshr.u32 %r4, %r2, 4;\nor.b32 %r4, %r4, 0x80000;\n"
           "mov.b64 %rd1, {%r4, 16};\nwgmma.fence.sync.aligned;\n"
           "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {%f0,%f1,%f2,%f3}, %rd1, %rd1, 1, 1, 1, 0, 0;\n" +
           between +
           "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {%f0,%f1,%f2,%f3,%f4,%f5,%f6,%f7}, %rd1, %rd1, 1, 1, "
           "1, "
           "0, 0;\nwgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n";
  };
  EXPECT_EQ(
      run(two("wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\nwgmma.fence.sync.aligned;\n"), 128),
      "");
  expect(run(two(""), 128), "another shape");
}

TEST_F(Written, ParitiesThatNeverCome) {
  auto wait = [](const char *parity) {
    return "setp.ne.u32 %p0, %r0, 0;\n@%p0 bra A;\nmbarrier.init.shared.b64 [%r2], 1;\nA:\nbar.sync 0;\n"
           "@!%p0 mbarrier.arrive.shared.b64 %rd1, [%r2];\nB:\nmbarrier.try_wait.parity.shared.b64 %p1, [%r2], " +
           std::string(parity) + ";\n@!%p1 bra B;\n";
  };
  EXPECT_EQ(run(wait("0"), 64), "");
  EXPECT_EQ(run(wait("0") + "bar.sync 0;\n@!%p0 mbarrier.arrive.shared.b64 %rd1, [%r2];\nC:\n"
                            "mbarrier.try_wait.parity.shared.b64 %p1, [%r2], 1;\n@!%p1 bra C;\n",
                64),
            "");
  std::string said = run(wait("0") + "C:\nmbarrier.try_wait.parity.shared.b64 %p1, [%r2], 1;\n@!%p1 bra C;\n", 64);
  expect(said, "deadlock");
  expect(said, "to complete a phase of parity 1: it is in phase 1, 1 of 1 arrivals");
  expect(said, "warp 0");
  expect(said, "warp 1");
}

TEST_F(Written, MbarriersHaveRules) {
  const std::string init = "mbarrier.init.shared.b64 [%r2], 2;\n";
  EXPECT_EQ(run(init + "mbarrier.arrive.shared.b64 %rd1, [%r2], 2;\nmbarrier.inval.shared.b64 [%r2];\n" + init, 1), "");
  expect(run(init + init, 1), "initialised a second time");
  expect(run(init + "mbarrier.arrive.shared.b64 %rd1, [%r2], 3;", 1), "3 arrivals where the phase misses 2");
  EXPECT_EQ(run(init + "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r2], 1048575;", 1), "");
  expect(run(init + "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r2], 1048576;", 1), "leaves its range");
  expect(run(init + "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%r2], 1048576;", 1), "leaves its range");
  expect(run(init + "st.shared.u32 [%r2+4], 0;", 1), "overwrites the mbarrier");
  EXPECT_EQ(run(init + "mbarrier.inval.shared.b64 [%r2];\nst.shared.u32 [%r2+4], 0;", 1), "");
  const std::string twice = "mbarrier.arrive.shared.b64 %rd1, [%r2], 2;\n";
  expect(run(init + twice + twice, 1), "nobody has waited for the phase before");
  EXPECT_EQ(run(init + twice + "mbarrier.test_wait.shared.b64 %p0, [%r2], %rd1;\n" + twice, 1), "");
}

TEST_F(Written, ABlockWaitsForTheCopiesIntoIt) {
  const std::string copy =
      "mbarrier.init.shared.b64 [%r2], 1;\nfence.mbarrier_init.release.cluster;\n"
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r2], 64;\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2+128], [%rd0], 64, [%r2];\n";
  EXPECT_EQ(run(copy + "A:\nmbarrier.try_wait.parity.shared.b64 %p0, [%r2], 0;\n@!%p0 bra A;", 1), "");
  expect(run(copy, 1), "the block ends while an asynchronous copy into its shared memory");
  expect(run(copy + "mbarrier.inval.shared.b64 [%r2];\nld.shared.u32 %r4, [%r2+128];", 1), "missing wait");
}

TEST_F(Written, AtomicsBeginWithAValue) {
  EXPECT_EQ(run("st.shared.u32 [%r3], 0;\nbar.sync 0;\natom.shared.add.u32 %r4, [%r2], 1;", 64), "");
  expect(run("atom.shared.add.u32 %r4, [%r2], 1;", 64), "uninitialised");
  // A flag hands data on only with fences on both sides.
  auto flag = [](const char *fence) {
    return std::string("setp.eq.u32 %p0, %r0, 0;\nsetp.eq.u32 %p1, %r0, 32;\n@%p0 st.volatile.shared.u32 [%r2], "
                       "0;\nbar.sync 0;\n"
                       "@!%p0 bra A;\nst.shared.u32 [%r2+8], 5;\n") +
           fence + "st.volatile.shared.u32 [%r2], 1;\nA:\n@!%p1 bra C;\nB:\nld.volatile.shared.u32 %r4, [%r2];\n" +
           "setp.eq.u32 %p2, %r4, 0;\n@%p2 bra B;\n" + fence + "ld.shared.u32 %r5, [%r2+8];\nC:\n";
  };
  EXPECT_EQ(run(flag("membar.cta;\n"), 64), "");
  expect(run(flag(""), 64), "race");
}

TEST_F(Written, FreedMemoryHasAName) {
  auto x = zeros<float>(256);
  void *module =
      loadText(".version 8.3\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n"
               ".reg .b64 %rd<2>; .reg .b32 %r<2>;\nld.param.u64 %rd0, [p];\nld.global.u32 %r0, [%rd0];\nret;\n}\n");
  void *f = function(module, "k");
  EXPECT_EQ(launch(f, {1}, {32}, 0, x), 0) << findings();
  ASSERT_EQ(cuMemFree_v2(x), 0);
  EXPECT_NE(launch(f, {1}, {32}, 0, x), 0);
  expect(findings(), "use after free");
  expect(findings(), "allocation of 1024 bytes that was freed");
}

// Runs with TESSERA_VGPU_CHECK=all: what nobody wrote to global memory is not to be read.
TEST_F(Written, GlobalMemoryThatNobodyWrote) {
  const char *check = std::getenv("TESSERA_VGPU_CHECK");
  bool poisoned = check && std::string(check) == "all";
  void *module =
      loadText(".version 8.3\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n"
               ".reg .b64 %rd<4>; .reg .b32 %r<4>;\n.shared .align 128 .b8 s[256];\nld.param.u64 %rd0, [p];\n"
               "mov.u32 %r1, %tid.x;\nmul.wide.u32 %rd1, %r1, 4;\nadd.u64 %rd1, %rd1, %rd0;\n"
               "ld.global.u32 %r0, [%rd1];\nst.global.u32 [%rd1+128], %r0;\nld.global.u32 %r2, [%rd1+128];\nret;\n}\n");
  void *f = function(module, "k");
  CUdeviceptr x = 0;
  ASSERT_EQ(cuMemAlloc_v2(&x, 256), 0);
  ASSERT_EQ(cuMemsetD8_v2(x, 0, 128), 0);
  EXPECT_EQ(launch(f, {1}, {32}, 0, x), 0) << findings(); // writes before it reads
  CUdeviceptr y = 0;
  ASSERT_EQ(cuMemAlloc_v2(&y, 256), 0);
  ASSERT_EQ(cuMemsetD8_v2(y, 0, 124), 0);
  EXPECT_EQ(launch(f, {1}, {32}, 0, y) != 0, poisoned);
  if (poisoned) {
    expect(findings(), "uninitialised: read of global memory");
    expect(findings(), "thread (31,0,0)");
  }
}

} // namespace
