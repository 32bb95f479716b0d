// Forms whose values live in tests of their own, which are named: collectives, barriers, matrices, asynchronous copies.
#include "tests/vgpu/forms/forms.h"

namespace forms {
namespace {
std::string regs(const char *prefix, int from, int count) {
  std::string s = "{";
  for (int i = 0; i < count; ++i)
    s += std::string(i ? "," : "") + prefix + std::to_string(from + i);
  return s + "}";
}
const char *keep(std::string s) { // for the life of the program
  static std::vector<std::unique_ptr<std::string>> kept;
  kept.push_back(std::make_unique<std::string>(std::move(s)));
  return kept.back()->c_str();
}

void collectives(std::vector<Listed> &l) {
  const char *shuffles = "Vectors.Shuffles", *votes = "Warp.Votes", *bars = "Warp.NamedBarriers";
  for (const char *f : {"shfl.sync.up.b32 %r0|%p0, %r1, 1, 0, -1;", "shfl.sync.down.b32 %r0|%p0, %r1, %r2, 31, -1;",
                        "shfl.sync.bfly.b32 %r0, %r1, 16, 31, -1;", "shfl.sync.idx.b32 %r0, %r1, %r2, %r3, %r4;"})
    l.push_back({f, 75, shuffles});
  for (const char *f :
       {"vote.sync.all.pred %p0, %p1, -1;", "vote.sync.any.pred %p0, !%p1, -1;", "vote.sync.uni.pred %p0, %p1, -1;",
        "vote.sync.ballot.b32 %r0, %p1, %r1;", "match.any.sync.b32 %r0, %r1, -1;", "match.any.sync.b64 %r0, %rd1, -1;",
        "match.all.sync.b32 %r0|%p0, %r1, -1;", "match.all.sync.b64 %r0|%p0, %rd1, -1;", "activemask.b32 %r0;",
        "bar.warp.sync -1;"})
    l.push_back({f, 75, votes});
  for (const char *f :
       {"redux.sync.add.u32 %r0, %r1, -1;", "redux.sync.add.s32 %r0, %r1, -1;", "redux.sync.min.u32 %r0, %r1, -1;",
        "redux.sync.min.s32 %r0, %r1, -1;", "redux.sync.max.u32 %r0, %r1, -1;", "redux.sync.max.s32 %r0, %r1, -1;",
        "redux.sync.and.b32 %r0, %r1, -1;", "redux.sync.or.b32 %r0, %r1, -1;", "redux.sync.xor.b32 %r0, %r1, -1;"})
    l.push_back({f, 80, "Warp.Reductions"});
  l.push_back({"elect.sync %r0|%p0, -1;", 90, votes});
  l.push_back({"elect.sync _|%p0, %r1;", 90, votes});
  for (const char *f : {"bar.sync 0;", "bar.sync 1, 64;", "bar.arrive 1, 64;", "bar.sync %r0, %r1;", "barrier.sync 0;",
                        "barrier.sync.aligned 2, 64;", "barrier.arrive 2, 64;", "barrier.cta.sync 0;",
                        "bar.cta.sync 0;", "bar.red.popc.u32 %r0, 0, %p0;", "bar.red.and.pred %p1, 0, !%p0;",
                        "barrier.red.or.pred %p1, 3, 32, %p0;", "barrier.cta.red.popc.aligned.u32 %r0, 0, %p0;"})
    l.push_back({f, 75, bars});
  const char *fences = "Cooperative.GridSync";
  for (const char *f : {"membar.cta;", "membar.gl;", "membar.sys;", "fence.acq_rel.gpu;", "fence.sc.sys;",
                        "fence.acq_rel.cta;", "fence.acquire.gpu;", "fence.release.sys;"})
    l.push_back({f, 75, fences});
  for (const char *f :
       {"fence.acq_rel.cluster;", "fence.mbarrier_init.release.cluster;", "fence.proxy.async;",
        "fence.proxy.async.shared::cta;", "fence.proxy.async.global;", "fence.proxy.tensormap::generic.release.gpu;",
        "fence.proxy.tensormap::generic.acquire.gpu [%rd0], 128;"})
    l.push_back({f, 90, "Hopper.TmaMovesTilesAndCutsEdges"});
  l.push_back({"fence.proxy.alias;", 75, fences});
  l.push_back({"nanosleep.u32 20;", 75, "Warp.SmallOnes"});
  l.push_back({"pmevent 3;", 75, "Warp.SmallOnes"});
  l.push_back({"griddepcontrol.wait;", 90, "Warp.SmallOnes"});
  l.push_back({"griddepcontrol.launch_dependents;", 90, "Warp.SmallOnes"});
  l.push_back({"setmaxnreg.inc.sync.aligned.u32 232;", 90, "EditedKernel.IsReported"});
  l.push_back({"setmaxnreg.dec.sync.aligned.u32 40;", 90, "Hopper.WgmmaGemm"});
  l.push_back({"barrier.cluster.arrive; barrier.cluster.wait;", 90, "Hopper.DistributedSharedMemory"});
  l.push_back({"barrier.cluster.arrive.release.aligned; barrier.cluster.wait.acquire.aligned;", 90,
               "Hopper.DistributedSharedMemory"});
  l.push_back({"barrier.cluster.arrive.relaxed; barrier.cluster.wait;", 90, "Hopper.DistributedSharedMemory"});
  for (const char *f : {"trap;", "brkpt;", "exit;", "ret;"})
    l.push_back({f, 75, "Calls.ATrapStopsTheKernel"});
  l.push_back({"discard.global.L2 [%rd0], 128;", 80, "Warp.SmallOnes"});
  l.push_back({"applypriority.global.L2::evict_normal [%rd0], 128;", 80, "Warp.SmallOnes"});
  l.push_back({"prefetch.global.L2::evict_last [%rd0];", 80, "Warp.SmallOnes"});
}

void matrices(std::vector<Listed> &l) {
  auto mma = [&](const std::string &text, int d, int a, int b, int c, int arch, const char *word = "%r") {
    l.push_back({keep("mma.sync.aligned." + text + " " + regs(word, 0, d) + ", " + regs(word, 20, a) + ", " +
                      regs(word, 30, b) + ", " + regs(word, 0, c) + ";"),
                 arch,
                 text.starts_with("m8n8k4") && word[1] == 'r' ? "MatrixVectors.MmaOfFourGroups" : "MatrixVectors.Mma"});
  };
  mma("m8n8k4.row.col.f64.f64.f64.f64", 2, 1, 1, 2, 80, "%fd");
  mma("m16n8k4.row.col.f64.f64.f64.f64", 4, 2, 1, 4, 90, "%fd");
  mma("m16n8k8.row.col.f64.f64.f64.f64", 4, 4, 2, 4, 90, "%fd");
  mma("m16n8k16.row.col.f64.f64.f64.f64", 4, 8, 4, 4, 90, "%fd");
  for (const char *layout : {"row.col", "row.row", "col.col", "col.row"}) {
    mma(std::string("m8n8k4.") + layout + ".f32.f16.f16.f32", 8, 2, 2, 8, 75);
    mma(std::string("m8n8k4.") + layout + ".f16.f16.f16.f16", 4, 2, 2, 4, 75);
  }
  for (const char *t : {"f16", "bf16"}) {
    int arch = t[0] == 'f' ? 75 : 80;
    mma(std::string("m16n8k8.row.col.f32.") + t + "." + t + ".f32", 4, 2, 1, 4, arch);
    mma(std::string("m16n8k16.row.col.f32.") + t + "." + t + ".f32", 4, 4, 2, 4, 80);
  }
  mma("m16n8k8.row.col.f16.f16.f16.f16", 2, 2, 1, 2, 75);
  mma("m16n8k16.row.col.f16.f16.f16.f16", 2, 4, 2, 2, 80);
  mma("m16n8k4.row.col.f32.tf32.tf32.f32", 4, 2, 1, 4, 80);
  mma("m16n8k8.row.col.f32.tf32.tf32.f32", 4, 4, 2, 4, 80);
  for (const char *a : {"e4m3", "e5m2"})
    for (const char *b : {"e4m3", "e5m2"}) {
      mma(std::string("m16n8k32.row.col.f32.") + a + "." + b + ".f32", 4, 4, 2, 4, 89);
      mma(std::string("m16n8k32.row.col.f16.") + a + "." + b + ".f16", 2, 4, 2, 2, 89);
      mma(std::string("m16n8k16.row.col.f32.") + a + "." + b + ".f32", 4, 2, 1, 4, 89);
    }
  for (const char *a : {"s8", "u8"})
    for (const char *b : {"s8", "u8"}) {
      std::string t = std::string(".s32.") + a + "." + b + ".s32";
      mma("m8n8k16.row.col" + t, 2, 1, 1, 2, 75);
      mma("m16n8k16.row.col" + t, 4, 2, 1, 4, 80);
      mma("m16n8k32.row.col.satfinite" + t, 4, 4, 2, 4, 80);
    }
  for (const char *a : {"s4", "u4"})
    for (const char *b : {"s4", "u4"}) {
      std::string t = std::string(".s32.") + a + "." + b + ".s32";
      mma("m8n8k32.row.col" + t, 2, 1, 1, 2, 75);
      mma("m16n8k32.row.col" + t, 4, 2, 1, 4, 80);
      mma("m16n8k64.row.col.satfinite" + t, 4, 4, 2, 4, 80);
    }
  mma("m8n8k128.row.col.s32.b1.b1.s32.xor.popc", 2, 1, 1, 2, 75);
  mma("m8n8k128.row.col.s32.b1.b1.s32.and.popc", 2, 1, 1, 2, 80);
  mma("m16n8k128.row.col.s32.b1.b1.s32.xor.popc", 4, 2, 1, 4, 80);
  mma("m16n8k128.row.col.s32.b1.b1.s32.and.popc", 4, 2, 1, 4, 80);
  mma("m16n8k256.row.col.s32.b1.b1.s32.xor.popc", 4, 4, 2, 4, 80);
  mma("m16n8k256.row.col.s32.b1.b1.s32.and.popc", 4, 4, 2, 4, 80);
  const char *tiles = "MatrixVectors.Ldmatrix";
  for (int n : {1, 2, 4})
    for (const char *t : {"", ".trans"}) {
      l.push_back({keep("ldmatrix.sync.aligned.m8n8.x" + std::to_string(n) + t + ".shared.b16 " + regs("%r", 0, n) +
                        ", [%r9];"),
                   75, tiles});
      l.push_back({keep("stmatrix.sync.aligned.m8n8.x" + std::to_string(n) + t + ".shared.b16 [%r9], " +
                        regs("%r", 0, n) + ";"),
                   90, "MatrixVectors.Stmatrix"});
    }
  l.push_back({"movmatrix.sync.aligned.m8n8.trans.b16 %r0, %r1;", 75, "Vectors.TransposedTiles"});
}

void fragments(std::vector<Listed> &l) {
  const char *test = "MatrixVectors.Wmma";
  auto load = [&](const char *what, const std::string &text, int n, int arch, const char *word = "%r") {
    l.push_back(
        {keep(std::string("wmma.load.") + what + ".sync.aligned." + text + " " + regs(word, 0, n) + ", [%rd0], %r40;"),
         arch, test});
  };
  auto store = [&](const std::string &text, int n, int arch, const char *word = "%r") {
    l.push_back({keep("wmma.store.d.sync.aligned." + text + " [%rd0], " + regs(word, 0, n) + ", %r40;"), arch, test});
  };
  auto multiply = [&](const std::string &text, int d, int a, int b, int c, int arch, const char *word = "%r") {
    l.push_back({keep("wmma.mma" + text + " " + regs(word, 0, d) + ", " + regs(word, 10, a) + ", " + regs(word, 20, b) +
                      ", " + regs(word, 30, c) + ";"),
                 arch, test});
  };
  for (const char *shape : {"m16n16k16", "m32n8k16", "m8n32k16"})
    for (const char *layout : {"row", "col"}) {
      std::string s = std::string(layout) + "." + shape, other = std::string(layout) == "row" ? "col" : "row";
      bool m32 = shape[1] == '3', m8 = shape[1] == '8';
      load("a", s + ".global.f16", 8, 75);
      load("b", s + ".f16", 8, 75);
      load("c", s + ".shared.f32", 8, 75);
      load("c", s + ".f16", 4, 75);
      store(s + ".global.f32", 8, 75);
      store(s + ".f16", 4, 75);
      multiply(".sync.aligned." + std::string(layout) + "." + other + "." + shape + ".f32.f32", 8, 8, 8, 8, 75);
      multiply(".sync.aligned." + std::string(layout) + "." + other + "." + shape + ".f16.f16", 4, 8, 8, 4, 75);
      multiply(".sync.aligned." + std::string(layout) + "." + other + "." + shape + ".f32.bf16.bf16.f32", 8,
               m32  ? 8
               : m8 ? 2
                    : 4,
               m32  ? 2
               : m8 ? 8
                    : 4,
               8, 80);
      multiply(".sync.aligned." + std::string(layout) + "." + other + "." + shape + ".s32.s8.s8.s32.satfinite", 8,
               m32  ? 4
               : m8 ? 1
                    : 2,
               m32  ? 1
               : m8 ? 4
                    : 2,
               8, 75);
      multiply(".sync.aligned." + std::string(layout) + "." + other + "." + shape + ".s32.u8.u8.s32", 8,
               m32  ? 4
               : m8 ? 1
                    : 2,
               m32  ? 1
               : m8 ? 4
                    : 2,
               8, 75);
    }
  load("a", "row.m16n16k16.bf16", 4, 80);
  load("a", "row.m16n16k16.s8", 2, 75);
  load("b", "col.m16n16k16.u8", 2, 75);
  load("c", "row.m16n16k16.s32", 8, 75);
  store("row.m16n16k16.s32", 8, 75);
  load("a", "row.m16n16k8.tf32", 4, 80);
  load("b", "col.m16n16k8.tf32", 4, 80);
  multiply(".sync.aligned.row.col.m16n16k8.f32.tf32.tf32.f32", 8, 4, 4, 8, 80);
  load("a", "row.m8n8k4.f64", 1, 80, "%fd");
  load("b", "col.m8n8k4.f64", 1, 80, "%fd");
  load("c", "row.m8n8k4.f64", 2, 80, "%fd");
  store("row.m8n8k4.f64", 2, 80, "%fd");
  multiply(".sync.aligned.row.col.m8n8k4.f64.f64.f64.f64", 2, 1, 1, 2, 80, "%fd");
  for (const char *t : {"s4", "u4"}) {
    load("a", std::string("row.m8n8k32.") + t, 1, 75);
    load("b", std::string("col.m8n8k32.") + t, 1, 75);
    multiply(std::string(".sync.aligned.row.col.m8n8k32.s32.") + t + "." + t + ".s32", 2, 1, 1, 2, 75);
  }
  load("c", "row.m8n8k32.s32", 2, 75);
  store("row.m8n8k32.s32", 2, 75);
  load("a", "row.m8n8k128.b1", 1, 75);
  load("b", "col.m8n8k128.b1", 1, 75);
  load("c", "row.m8n8k128.s32", 2, 75);
  store("row.m8n8k128.s32", 2, 75);
  multiply(".xor.popc.sync.aligned.row.col.m8n8k128.s32.b1.b1.s32", 2, 1, 1, 2, 75);
  multiply(".and.popc.sync.aligned.row.col.m8n8k128.s32.b1.b1.s32", 2, 1, 1, 2, 80);
}

void asynchronous(std::vector<Listed> &l) {
  const char *copies = "AsyncVectors.Copies", *bar = "AsyncVectors.Mbarriers", *bulk = "AsyncVectors.BulkCopies",
             *tma = "Tma.EveryRank", *remote = "AsyncVectors.RemoteStores", *reduce = "AsyncVectors.BulkReductions";
  for (const char *f :
       {"cp.async.ca.shared.global [%r0], [%rd0], 4;", "cp.async.ca.shared.global [%r0], [%rd0], 8;",
        "cp.async.ca.shared.global [%r0], [%rd0], 16;", "cp.async.cg.shared.global [%r0], [%rd0], 16;",
        "cp.async.cg.shared.global.L2::128B [%r0], [%rd0], 16;", "cp.async.ca.shared.global [%r0], [%rd0], 16, %r1;",
        "cp.async.cg.shared.global [%r0], [%rd0], 16, %p0;",
        "cp.async.cg.shared.global.L2::cache_hint [%r0], [%rd0], 16, %rd1;", "cp.async.commit_group;",
        "cp.async.wait_group 2;", "cp.async.wait_all;"})
    l.push_back({f, 80, copies});
  for (const char *f :
       {"mbarrier.init.shared.b64 [%r0], 4;", "mbarrier.inval.shared.b64 [%r0];",
        "mbarrier.arrive.release.cta.shared::cta.b64 _, [%r0];", "mbarrier.arrive.shared.b64 %rd0, [%r0];",
        "mbarrier.arrive.shared.b64 %rd0, [%rd1];", "mbarrier.arrive.noComplete.shared.b64 %rd0, [%r0], 1;",
        "mbarrier.arrive_drop.shared.b64 %rd0, [%r0];", "mbarrier.arrive_drop.noComplete.shared.b64 %rd0, [%r0], 1;",
        "mbarrier.test_wait.shared.b64 %p0, [%r0], %rd0;", "mbarrier.test_wait.parity.shared.b64 %p0, [%r0], %r1;",
        "mbarrier.pending_count.b64 %r0, %rd0;", "cp.async.mbarrier.arrive.shared.b64 [%r0];",
        "cp.async.mbarrier.arrive.noinc.shared.b64 [%r0];"})
    l.push_back({f, 80, bar});
  for (const char *f :
       {"mbarrier.arrive.shared::cta.b64 %rd0, [%r0], 2;", "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%r0], %r1;",

        "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%r0];",
        "mbarrier.arrive.expect_tx.release.cluster.shared::cluster.b64 _, [%r0], 64;",
        "mbarrier.arrive_drop.release.cluster.shared::cluster.b64 _, [%r0];",
        "mbarrier.arrive_drop.expect_tx.shared::cta.b64 %rd0, [%r0], 16;",
        "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r0], 16;",
        "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%r0], 16;",
        "mbarrier.try_wait.shared::cta.b64 %p0, [%r0], %rd0;",
        "mbarrier.try_wait.parity.shared::cta.b64 %p0, [%r0], %r1;",
        "mbarrier.try_wait.parity.shared::cta.b64 %p0, [%r0], %r1, 1000;",
        "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p0, [%r0], %r1, %r2;",
        "mbarrier.test_wait.parity.acquire.cluster.shared::cta.b64 %p0, [%r0], %r1;"})
    l.push_back({f, 90, bar});
  for (const char *f :
       {"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r0], [%rd0], %r1, [%r2];",
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%r0], [%rd0], %r1, [%r2], "
        "%rd1;",
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%r0], [%rd0], %r1, "
        "[%r2], %h0;",
        "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r0], [%r3], %r1, [%r2];",
        "cp.async.bulk.global.shared::cta.bulk_group [%rd0], [%r0], 64;",
        "cp.async.bulk.prefetch.L2.global [%rd0], 64;", "cp.async.bulk.commit_group;", "cp.async.bulk.wait_group 1;",
        "cp.async.bulk.wait_group.read 0;"})
    l.push_back({f, 90, bulk});
  for (const char *f :
       {"st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r0], %r1, [%r2];",
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.b64 [%r0], %rd1, [%r2];",
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.f32 [%r0], {%f0, %f1}, [%r2];",
        "st.async.shared::cluster.mbarrier::complete_tx::bytes.v4.s32 [%r0], {%r3, %r4, %r5, %r6}, [%r2];"})
    l.push_back({f, 90, remote});
  for (const char *op : {"inc.u32", "dec.u32", "min.u32", "min.s32", "max.u32", "max.s32", "and.b32", "or.b32",
                         "xor.b32", "add.u32", "add.s32"})
    l.push_back({keep(std::string("red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.") + op +
                      " [%r0], %r1, [%r2];"),
                 90, remote});
  l.push_back({"red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u64 [%r0], %rd1, [%r2];", 90,
               remote});
  for (const char *op :
       {"and.b32", "or.b32", "xor.b32", "add.u32", "add.s32", "add.u64", "inc.u32", "dec.u32", "min.u32", "max.s32"})
    l.push_back({keep(std::string("cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.") +
                      op + " [%r0], [%r1], 64, [%r2];"),
                 90, reduce});
  for (const char *op : {"and.b32",  "and.b64", "or.b32",  "or.b64",  "xor.b32",       "xor.b64",        "add.u32",
                         "add.s32",  "add.u64", "add.f32", "add.f64", "add.noftz.f16", "add.noftz.bf16", "min.f16",
                         "max.bf16", "min.u32", "min.s32", "min.u64", "max.s64",       "inc.u32",        "dec.u32"})
    l.push_back({keep(std::string("cp.reduce.async.bulk.global.shared::cta.bulk_group.") + op + " [%rd0], [%r1], 64;"),
                 90, reduce});
  for (int rank = 1; rank <= 5; ++rank) {
    std::string d = std::to_string(rank) + "d", at = "[%rd0, " + regs("%r", 10, rank) + "]";
    l.push_back({keep("cp.async.bulk.tensor." + d +
                      ".shared::cluster.global.tile.mbarrier::complete_tx::bytes [%r0], " + at + ", [%r1];"),
                 90, tma});
    l.push_back({keep("cp.async.bulk.tensor." + d +
                      ".shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint [%r0], " +
                      at + ", [%r1], %h0, %rd1;"),
                 90, tma});
    l.push_back(
        {keep("cp.async.bulk.tensor." + d + ".global.shared::cta.tile.bulk_group " + at + ", [%r0];"), 90, tma});
    l.push_back({keep("cp.async.bulk.prefetch.tensor." + d + ".L2.global.tile " + at + ";"), 90, tma});
    for (const char *op : {"add", "min", "max", "inc", "dec", "and", "or", "xor"})
      l.push_back({keep("cp.reduce.async.bulk.tensor." + d + ".global.shared::cta." + op + ".tile.bulk_group " + at +
                        ", [%r0];"),
                   90, "Tma.Reductions"});
  }
  l.push_back({"prefetch.tensormap [%rd0];", 90, tma});
}

void warpgroups(std::vector<Listed> &l) {
  const char *test = "MatrixVectors.Wgmma";
  auto add = [&](const std::string &types, int k, bool half, bool whole, bool transposes) {
    for (int n : {8, 64, 256}) {
      int count = half ? n / 4 : n / 2;
      std::string head = "wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) + "k" + std::to_string(k) + "." +
                         types + " " + regs(half || whole ? "%r" : "%f", 0, count);
      std::string tail = whole ? "" : transposes ? ", 1, -1, 0, 1" : ", 1, -1";
      l.push_back({keep(head + ", %rd0, %rd1, %p0" + tail + ";"), 90, test});
      l.push_back({keep(head + ", " + regs("%r", 150, 4) + ", %rd1, 1" +
                        (whole        ? ""
                         : transposes ? ", 1, 1, 1"
                                      : ", 1, 1") +
                        ";"),
                   90, test});
    }
  };
  add("f32.f16.f16", 16, false, false, true);
  add("f16.f16.f16", 16, true, false, true);
  add("f32.bf16.bf16", 16, false, false, true);
  add("f32.tf32.tf32", 8, false, false, false);
  for (const char *a : {"e4m3", "e5m2"})
    for (const char *b : {"e4m3", "e5m2"}) {
      add(std::string("f32.") + a + "." + b, 32, false, false, false);
      add(std::string("f16.") + a + "." + b, 32, true, false, false);
    }
  for (const char *a : {"s8", "u8"})
    for (const char *b : {"s8", "u8"})
      add(std::string("s32.") + a + "." + b, 32, false, true, false);
  for (int n : {8, 64, 256}) {
    l.push_back({keep("wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) + "k256.s32.b1.b1.and.popc " +
                      regs("%r", 0, n / 2) + ", %rd0, %rd1, %p0;"),
                 90, test});
    l.push_back({keep("wgmma.mma_async.sync.aligned.m64n" + std::to_string(n) + "k256.s32.b1.b1.and.popc " +
                      regs("%r", 0, n / 2) + ", " + regs("%r", 150, 4) + ", %rd1, %p0;"),
                 90, test});
  }
  l.push_back({"wgmma.fence.sync.aligned;", 90, test});
  l.push_back({"wgmma.commit_group.sync.aligned;", 90, test});
  l.push_back({"wgmma.wait_group.sync.aligned 0;", 90, test});
}
} // namespace

const std::vector<Listed> &listedForms() {
  static const std::vector<Listed> list = [] {
    std::vector<Listed> l;
    collectives(l);
    matrices(l);
    fragments(l);
    asynchronous(l);
    warpgroups(l);
    return l;
  }();
  return list;
}

} // namespace forms
