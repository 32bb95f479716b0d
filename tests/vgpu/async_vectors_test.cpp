// Asynchronous copies and mbarriers, instruction by instruction (ISA 9.7.9.25, 9.7.13.15): what arrives where and when
// a phase ends; stores and reductions into other blocks of a cluster.
#include "tests/vgpu/vectors.h"
#include <algorithm>
#include <cstring>
#include <functional>
#include <random>

namespace {

class AsyncVectors : public PtxVectors {
protected:
  std::vector<uint32_t> randoms(size_t n) {
    std::mt19937 generator(7);
    std::vector<uint32_t> v(n);
    for (uint32_t &x : v)
      x = uint32_t(generator());
    return v;
  }
};

// Each lane copies 4, 8 or 16 bytes of its 16; fewer source bytes leave zeros, a predicate ignores the source.
TEST_F(AsyncVectors, Copies) {
  auto in = randoms(128);
  auto source = upload(in);
  struct Case {
    const char *form;
    int bytes;
    int (*taken)(int lane);
  };
  const Case cases[] = {
      {"cp.async.ca.shared.global [%t1], [%q0], 4;", 4, [](int) { return 4; }},
      {"cp.async.ca.shared.global [%t1], [%q0], 8;", 8, [](int) { return 8; }},
      {"cp.async.ca.shared.global.L2::128B [%t1], [%q0], 16;", 16, [](int) { return 16; }},
      {"cp.async.cg.shared.global [%t1], [%q0], 16;", 16, [](int) { return 16; }},
      {"and.b32 %t3, %t0, 15; cp.async.cg.shared.global [%t1], [%q0], 16, %t3;", 16, [](int l) { return l % 16; }},
      {"and.b32 %t3, %t0, 3; cp.async.ca.shared.global [%t1], [%q0], 4, %t3;", 4, [](int l) { return l % 4; }},
      {"setp.gt.u32 %p0, %t0, 9; cp.async.cg.shared.global [%t1], [%q0], 16, %p0;", 16,
       [](int l) { return l > 9 ? 0 : 16; }},
      {"setp.gt.u32 %p0, %t0, 9; @%p0 cp.async.cg.shared.global [%t1], [%q0], 16;", 16,
       [](int l) { return l > 9 ? 16 : -1; }},
  };
  for (const Case &c : cases) {
    auto got = run(
        1, 4,
        std::string("mov.u32 %t2, sm;\nmad.lo.u32 %t1, %t0, 16, %t2;\nst.shared.v4.u32 [%t1], {%t0, %t0, %t0, %t0};\n"
                    "mad.wide.u32 %q0, %t0, 16, %rd4;\n") +
            c.form +
            "\ncp.async.commit_group;\ncp.async.wait_group 0;\nld.shared.v4.u32 {%d0, %d1, %d2, %d3}, [%t1];\n",
        std::vector<uint32_t>(32), 32, source);
    for (int l = 0; l < 32; ++l) {
      uint32_t want[4] = {uint32_t(l), uint32_t(l), uint32_t(l), uint32_t(l)};
      int taken = c.taken(l);
      if (taken >= 0) {
        std::memset(want, 0, size_t(c.bytes));
        std::memcpy(want, &in[size_t(4 * l)], size_t(taken));
      }
      for (int k = 0; k < 4; ++k)
        ASSERT_EQ(got[size_t(4 * l + k)], want[k]) << c.form << " lane " << l;
    }
  }
  // Groups end in order: after wait_group 1 the first of two is there.
  auto got = run(1, 2,
                 "mov.u32 %t2, sm;\nmad.lo.u32 %t1, %t0, 16, %t2;\nmad.wide.u32 %q0, %t0, 16, "
                 "%rd4;\ncp.async.ca.shared.global [%t1], [%q0], 4;\n"
                 "cp.async.commit_group;\ncp.async.ca.shared.global [%t1+8], [%q0+8], "
                 "4;\ncp.async.commit_group;\ncp.async.wait_group 1;\n"
                 "ld.shared.u32 %d0, [%t1];\ncp.async.wait_all;\nld.shared.u32 %d1, [%t1+8];\n",
                 std::vector<uint32_t>(32), 32, source);
  for (size_t l = 0; l < 32; ++l)
    ASSERT_TRUE(got[2 * l] == in[4 * l] && got[2 * l + 1] == in[4 * l + 2]) << l;
}

// One lane walks an mbarrier through its phases; what each test says and how many arrivals are missing.
TEST_F(AsyncVectors, Mbarriers) {
  std::string test = "mbarrier.test_wait.parity.shared.b64 %p1, [%t1], 0; selp.u32 ",
              same = "mbarrier.test_wait.shared.b64 %p1, [%t1], %q0; selp.u32 ";
  auto got = run(
      1, 12,
      "mov.u32 %t1, sm;\nsetp.ne.u32 %p0, %t0, 0;\n@%p0 bra END;\nmbarrier.init.shared.b64 [%t1], 3;\n" + test +
          "%d0, 1, 0, %p1;\n"                                                              // phase 0 is open
          "mbarrier.arrive.shared.b64 %q0, [%t1];\nmbarrier.pending_count.b64 %d1, %q0;\n" // before it 3 were missing
          "mbarrier.arrive.noComplete.shared.b64 %q1, [%t1], 1;\nmbarrier.pending_count.b64 %d2, %q1;\n" +
          same + "%d3, 1, 0, %p1;\nmbarrier.arrive_drop.shared.b64 %q1, [%t1];\n" + // the third: phase 0 is over
          same + "%d4, 1, 0, %p1;\n" + test +
          "%d5, 1, 0, %p1;\n"
          "mbarrier.test_wait.parity.shared.b64 %p1, [%t1], 1; selp.u32 %d6, 1, 0, %p1;\n" // phase 1 is open
          "mbarrier.arrive.shared.b64 %q0, [%t1];\nmbarrier.pending_count.b64 %d7, %q0;\n" // it has two arrivals left:
                                                                                           // one was dropped
          "mbarrier.arrive.shared.b64 %q1, [%t1];\n" +
          same +
          "%d8, 1, 0, %p1;\n"
          "cp.async.mbarrier.arrive.shared.b64 [%t1];\nmbarrier.arrive.shared.b64 %q0, "
          "[%t1];\nmbarrier.pending_count.b64 %d9, %q0;\n"
          "cp.async.mbarrier.arrive.noinc.shared.b64 [%t1];\n" +
          same +
          "%d10, 1, 0, %p1;\nmbarrier.inval.shared.b64 [%t1];\n"
          "mbarrier.init.shared.b64 [%t1], 1;\n" +
          test + "%d11, 1, 0, %p1;\nEND:\n",
      std::vector<uint32_t>(32));
  got.resize(12);
  EXPECT_EQ(got, (std::vector<uint32_t>{0, 3, 2, 0, 1, 1, 0, 2, 1, 2, 1, 0}));
  if (arch < 90)
    return;
  // Bytes: a phase ends when nothing is missing, neither arrivals nor bytes.
  auto bytes = run(
      1, 6,
      "mov.u32 %t1, sm;\nsetp.ne.u32 %p0, %t0, 0;\n@%p0 bra END;\nmbarrier.init.shared::cta.b64 [%t1], 2;\n"
      "mbarrier.arrive.expect_tx.shared::cta.b64 %q0, [%t1], 64;\nmbarrier.arrive.shared::cta.b64 %q1, [%t1], 1;\n" +
          same + "%d0, 1, 0, %p1;\nmbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%t1], 48;\n" + same +
          "%d1, 1, 0, %p1;\nmbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%t1], 16;\n" + same +
          "%d2, 1, 0, %p1;\nmbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%t1], 32;\nmbarrier.arrive.shared::cta.b64 "
          "%q0, [%t1], 2;\n"
          "mbarrier.try_wait.shared::cta.b64 %p1, [%t1], %q0, 1000; selp.u32 %d3, 1, 0, %p1;\n"
          "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%t1], 32;\n"
          "mbarrier.try_wait.parity.acquire.cta.shared::cta.b64 %p1, [%t1], 1; selp.u32 %d4, 1, 0, %p1;\n"
          "mbarrier.arrive_drop.expect_tx.shared::cta.b64 %q0, [%t1], 0;\nmbarrier.pending_count.b64 %d5, %q0;\nEND:\n",
      std::vector<uint32_t>(32));
  bytes.resize(6);
  EXPECT_EQ(bytes, (std::vector<uint32_t>{0, 0, 1, 0, 1, 2}));
}

TEST_F(AsyncVectors, BulkCopies) {
  if (arch < 90)
    GTEST_SKIP() << "bulk copies need sm_90";
  auto in = randoms(256);
  auto from = upload(in), to = zeros<uint32_t>(256);
  // Global to shared at byte 512, shared to shared at 2048, shared to global.
  run(1, 1,
      "mov.u32 %t1, sm;\nadd.u32 %t2, %t1, 8192;\nsetp.ne.u32 %p0, %t0, 0;\n@%p0 bra "
      "READY;\nmbarrier.init.shared::cta.b64 [%t2], 1;\n"
      "mbarrier.init.shared::cta.b64 [%t2+8], 1;\nfence.mbarrier_init.release.cluster;\nREADY: bar.sync 0;\n@%p0 bra "
      "WAIT;\n"
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%t2], 1024;\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%t1+512], [%rd4], 768, [%t2];\n"
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%t1+1280], [%rd4+768], 256, [%t2];\n"
      "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%t2], 0;\n@!%p1 bra WAIT;\n@%p0 bra SECOND;\n"
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%t2+8], 1024;\nadd.u32 %t3, %t1, 512;\n"
      "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%t1+2048], [%t3], 1024, [%t2+8];\n"
      "SECOND: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%t2+8], 0;\n@!%p1 bra SECOND;\n@%p0 bra END;\n"
      "cp.async.bulk.global.shared::cta.bulk_group [%rd5], [%t1+2048], "
      "1024;\ncp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;\n"
      "cp.async.bulk.wait_group 0;\nEND: mov.u32 %d0, 0;\n",
      std::vector<uint32_t>(32), 32, from, to);
  EXPECT_EQ(download<uint32_t>(to, 256), in);
}

// Block 1 of a cluster of two sends to block 0, which waits for the bytes.
TEST_F(AsyncVectors, RemoteStores) {
  if (arch < 90)
    GTEST_SKIP() << "clusters need sm_90";
  struct Case {
    const char *send;
    int bytes;
    std::vector<uint32_t> want; // the first four words of block 0, which hold 10, 20, 30, 40
  };
  const char *st = "st.async.shared::cluster.mbarrier::complete_tx::bytes",
             *red = "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes";
  std::vector<std::pair<std::string, Case>> cases;
  auto add = [&](const char *op, const char *rest, int bytes, std::vector<uint32_t> want) {
    cases.push_back({std::string(op) + rest, {"", bytes, std::move(want)}});
  };
  add(st, ".u32 [%t3], 7, [%t4];", 4, {7, 20, 30, 40});
  add(st, ".b64 [%t3+8], 0x100000002, [%t4];", 8, {10, 20, 2, 1});
  add(st, ".v2.u32 [%t3], {5, 6}, [%t4];", 8, {5, 6, 30, 40});
  add(st, ".v4.u32 [%t3], {1, 2, 3, 4}, [%t4];", 16, {1, 2, 3, 4});
  add(red, ".add.u32 [%t3+4], 5, [%t4];", 4, {10, 25, 30, 40});
  add(red, ".add.u64 [%t3], 0x200000001, [%t4];", 8, {11, 22, 30, 40});
  add(red, ".min.s32 [%t3], -3, [%t4];", 4, {uint32_t(-3), 20, 30, 40});
  add(red, ".max.u32 [%t3+8], 31, [%t4];", 4, {10, 20, 31, 40});
  add(red, ".and.b32 [%t3+12], 8, [%t4];", 4, {10, 20, 30, 8});
  add(red, ".or.b32 [%t3], 5, [%t4];", 4, {15, 20, 30, 40});
  add(red, ".xor.b32 [%t3], 3, [%t4];", 4, {9, 20, 30, 40});
  add(red, ".inc.u32 [%t3], 10, [%t4];", 4, {0, 20, 30, 40});
  add(red, ".dec.u32 [%t3+4], 50, [%t4];", 4, {10, 19, 30, 40});
  for (const auto &[send, c] : cases) {
    std::string text =
        header() +
        ".visible .entry k(.param .u64 pout)\n.reqnctapercluster 2, 1, 1\n{\n.reg .pred %p<4>;\n.reg .b32 %t<8>, "
        "%d<4>;\n.reg .b64 "
        "%rd<4>;\n.shared .align 16 .b8 sm[64];\nld.param.u64 %rd1, [pout];\nmov.u32 %t1, sm;\nmov.u32 %t2, "
        "%cluster_ctarank;\n"
        "mov.u32 %d0, 10; mov.u32 %d1, 20; mov.u32 %d2, 30; mov.u32 %d3, 40;\nst.shared.v4.u32 [%t1], {%d0, %d1, %d2, "
        "%d3};\n"
        "mbarrier.init.shared::cta.b64 [%t1+32], 1;\nfence.mbarrier_init.release.cluster;\n"
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%t1+32], " +
        std::to_string(c.bytes) +
        ";\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\nsetp.eq.u32 %p1, %t2, 0;\n@%p1 bra RECEIVE;\n"
        "mapa.shared::cluster.u32 %t3, %t1, 0;\nadd.u32 %t4, %t3, 32;\n" +
        send +
        "\nbra END;\nRECEIVE: mbarrier.try_wait.parity.shared::cta.b64 %p2, [%t1+32], 0;\n@!%p2 bra RECEIVE;\n"
        "ld.shared.v4.u32 {%d0, %d1, %d2, %d3}, [%t1];\nst.global.v4.u32 [%rd1], {%d0, %d1, %d2, %d3};\n"
        "END: barrier.cluster.arrive;\nbarrier.cluster.wait;\nret;\n}\n";
    // Immediates of vectors are registers in PTX: the sender's own.
    for (const char *v : {"{5, 6}", "{1, 2, 3, 4}"})
      if (size_t at = text.find(v); at != std::string::npos)
        text.replace(at, std::strlen(v), v[1] == '5' ? "{%t5, %t6}" : "{%t5, %t6, %t7, %d3}"),
            text.insert(text.find("add.u32 %t4"),
                        v[1] == '5' ? "mov.u32 %t5, 5; mov.u32 %t6, 6;\n"
                                    : "mov.u32 %t5, 1; mov.u32 %t6, 2; mov.u32 %t7, 3; mov.u32 %d3, 4;\n");
    auto out = zeros<uint32_t>(4);
    ASSERT_EQ(launch(function(loadText(text), "k"), {2}, {1}, 0, out), 0) << findings() << text;
    EXPECT_EQ(download<uint32_t>(out, 4), c.want) << send;
  }
}

// 64 bytes of shared memory into global memory, and into other shared memory.
TEST_F(AsyncVectors, BulkReductions) {
  if (arch < 90)
    GTEST_SKIP() << "bulk reductions need sm_90";
  auto a = randoms(16), b = randoms(16);
  for (size_t k = 0; k < 16; ++k) // finite as halves and floats too
    a[k] = a[k] % 900 | (a[k] % 700) << 16, b[k] = b[k] % 800 | (b[k] % 600) << 16;
  auto halves = [](uint32_t x, uint32_t y, auto f) {
    uint32_t r = 0;
    for (int h = 0; h < 32; h += 16)
      r |= uint32_t(f(uint16_t(x >> h), uint16_t(y >> h))) << h;
    return r;
  };
  auto half = [](uint16_t x) { return float(std::bit_cast<_Float16>(x)); };
  struct Case {
    const char *op;
    std::function<uint32_t(uint32_t, uint32_t)> f; // of 32 bits of the destination and of the source
    bool shared;
  };
  const Case cases[] = {
      {"add.u32", [](uint32_t x, uint32_t y) { return x + y; }, true},
      {"add.s32", [](uint32_t x, uint32_t y) { return x + y; }, true},
      {"min.u32", [](uint32_t x, uint32_t y) { return std::min(x, y); }, true},
      {"max.s32", [](uint32_t x, uint32_t y) { return uint32_t(std::max(int32_t(x), int32_t(y))); }, true},
      {"and.b32", [](uint32_t x, uint32_t y) { return x & y; }, true},
      {"or.b32", [](uint32_t x, uint32_t y) { return x | y; }, true},
      {"xor.b32", [](uint32_t x, uint32_t y) { return x ^ y; }, true},
      {"inc.u32", [](uint32_t x, uint32_t y) { return x >= y ? 0 : x + 1; }, true},
      {"dec.u32", [](uint32_t x, uint32_t y) { return x == 0 || x > y ? y : x - 1; }, true},
      {"or.b64", [](uint32_t x, uint32_t y) { return x | y; }, false},
      {"add.f32",
       [](uint32_t x, uint32_t y) {
         return std::bit_cast<uint32_t>(std::bit_cast<float>(x) + std::bit_cast<float>(y));
       },
       false},
      {"add.noftz.f16",
       [&](uint32_t x, uint32_t y) {
         return halves(x, y,
                       [&](uint16_t p, uint16_t q) { return std::bit_cast<uint16_t>(_Float16(half(p) + half(q))); });
       },
       false},
      {"min.f16",
       [&](uint32_t x, uint32_t y) {
         return halves(x, y, [&](uint16_t p, uint16_t q) { return half(p) < half(q) ? p : q; });
       },
       false},
      {"max.bf16",
       [&](uint32_t x, uint32_t y) { return halves(x, y, [&](uint16_t p, uint16_t q) { return std::max(p, q); }); },
       false},
  };
  for (const Case &c : cases)
    for (bool shared : {false, true}) {
      if (shared && !c.shared)
        continue;
      auto to = upload(b);
      std::string body =
          "mov.u32 %t1, sm;\nmad.lo.u32 %t2, %t0, 4, %t1;\nsetp.lt.u32 %p0, %t0, 16;\nsetp.eq.u32 %p2, %t0, 0;\n"
          "@%p0 st.shared.u32 [%t2], %a0;\n@%p0 st.shared.u32 [%t2+1024], %a1;\n@%p2 mbarrier.init.shared::cta.b64 "
          "[%t1+512], 1;\n"
          "@%p2 fence.mbarrier_init.release.cluster;\nfence.proxy.async.shared::cta;\nbar.warp.sync -1;\nmov.u32 %d0, "
          "0;\n@!%p2 bra WAIT;\n"
          "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%t1+512], " +
          std::string(shared ? "64" : "0") + ";\n" +
          (shared ? std::string("cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.") +
                        c.op + " [%t1+1024], [%t1], 64, [%t1+512];\n"
                  : std::string("cp.reduce.async.bulk.global.shared::cta.bulk_group.") + c.op +
                        " [%rd5], [%t1], 64;\ncp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\n") +
          "WAIT: mbarrier.try_wait.parity.shared::cta.b64 %p1, [%t1+512], 0;\n@!%p1 bra WAIT;\n@%p0 ld.shared.u32 %d0, "
          "[%t2+1024];\n";
      std::vector<uint32_t> in;
      for (size_t l = 0; l < 32; ++l)
        in.insert(in.end(), {a[l % 16], b[l % 16]});
      auto got =
          shared ? run(2, 1, body, in, 32, to, to) : (run(2, 1, body, in, 32, to, to), download<uint32_t>(to, 16));
      for (size_t k = 0; k < 16; ++k)
        ASSERT_EQ(got[k], c.f(b[k], a[k])) << c.op << (shared ? " in shared memory, " : " in global memory, ") << k;
      cuMemFree_v2(to);
    }
}

} // namespace
