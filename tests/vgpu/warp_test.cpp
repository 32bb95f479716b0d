// Collectives of a warp and barriers of a block against their definitions (ISA 9.7.9.6, 9.7.13).
#include "tests/vgpu/vectors.h"
#include <random>

namespace {

class Warp : public PtxVectors {
protected:
  std::vector<uint32_t> randoms(size_t n, uint32_t modulus = 0) {
    std::mt19937 generator(7);
    std::vector<uint32_t> v(n);
    for (uint32_t &x : v)
      x = modulus ? uint32_t(generator()) % modulus : uint32_t(generator());
    return v;
  }
};

// Two groups of lanes with masks of their own, which take different branches.
TEST_F(Warp, Votes) {
  auto in = randoms(32, 4);
  uint32_t low = 0x00ff0fff, high = ~low;
  std::string vote = "setp.lt.u32 %p0, %a0, 3;\nshr.u32 %t1, " + std::to_string(low) +
                     ", %t0;\nand.b32 %t1, %t1, 1;\nsetp.ne.u32 %p1, %t1, 0;\n"
                     "@%p1 bra LOW;\nmov.u32 %t2, " +
                     std::to_string(high) + ";\n";
  std::string body =
      "vote.sync.all.pred %p2, %p0, %t2; selp.u32 %d0, 1, 0, %p2;\nvote.sync.any.pred %p2, !%p0, %t2; selp.u32 %d1, 1, "
      "0, %p2;\n"
      "vote.sync.uni.pred %p2, %p0, %t2; selp.u32 %d2, 1, 0, %p2;\nvote.sync.ballot.b32 %d3, %p0, %t2;\nactivemask.b32 "
      "%d4;\n"
      "match.any.sync.b32 %d5, %a0, %t2;\nmatch.all.sync.b32 %d6|%p2, %t2, %t2; selp.u32 %d7, %d6, 0, %p2;\n"
      "cvt.u64.u32 %q0, %a0;\nmatch.any.sync.b64 %d8, %q0, %t2;\nmatch.all.sync.b64 %d9|%p2, %q0, %t2;\nbar.warp.sync "
      "%t2;\n";
  auto got =
      run(1, 10, vote + body + "bra END;\nLOW: mov.u32 %t2, " + std::to_string(low) + ";\n" + body + "END:\n", in);
  for (uint32_t l = 0; l < 32; ++l) {
    uint32_t members = low >> l & 1 ? low : high, ballot = 0, same = 0;
    for (uint32_t k = 0; k < 32; ++k)
      if (members >> k & 1) {
        ballot |= uint32_t(in[k] < 3) << k;
        same |= uint32_t(in[k] == in[l]) << k;
      }
    const uint32_t *d = &got[10 * l];
    EXPECT_EQ(d[0], uint32_t(ballot == members)) << l;
    EXPECT_EQ(d[1], uint32_t(ballot != members)) << l;
    EXPECT_EQ(d[2], uint32_t(ballot == members || ballot == 0)) << l;
    EXPECT_EQ(d[3], ballot) << l;
    EXPECT_EQ(d[4], members) << l;
    EXPECT_EQ(d[5], same) << l;
    EXPECT_EQ(d[7], members) << l;
    EXPECT_EQ(d[8], same) << l;
    EXPECT_EQ(d[9], same == members ? members : 0u) << l;
  }
  if (arch < 90)
    return;
  auto elected = run(1, 2, "elect.sync %d0|%p0, -1;\nselp.u32 %d1, 1, 0, %p0;\n", in);
  for (uint32_t l = 0; l < 32; ++l) {
    EXPECT_EQ(elected[2 * l], elected[0]);
    EXPECT_EQ(elected[2 * l + 1], uint32_t(l == elected[0]));
  }
}

TEST_F(Warp, Reductions) {
  if (arch < 80)
    GTEST_SKIP() << "redux needs sm_80";
  auto in = randoms(32);
  auto got = run(1, 9,
                 "redux.sync.add.u32 %d0, %a0, -1;\nredux.sync.add.s32 %d1, %a0, -1;\nredux.sync.min.u32 %d2, %a0, "
                 "-1;\nredux.sync.min.s32 %d3, %a0, -1;\n"
                 "redux.sync.max.u32 %d4, %a0, -1;\nredux.sync.max.s32 %d5, %a0, -1;\nredux.sync.and.b32 %d6, %a0, "
                 "-1;\nredux.sync.or.b32 %d7, %a0, -1;\n"
                 "redux.sync.xor.b32 %d8, %a0, -1;\n",
                 in);
  uint32_t sum = 0, low = ~0u, high = 0, all = ~0u, some = 0, odd = 0;
  int32_t least = INT32_MAX, most = INT32_MIN;
  for (uint32_t v : in) {
    sum += v, all &= v, some |= v, odd ^= v;
    low = std::min(low, v), high = std::max(high, v);
    least = std::min(least, int32_t(v)), most = std::max(most, int32_t(v));
  }
  for (size_t l = 0; l < 32; ++l)
    EXPECT_EQ(std::vector<uint32_t>(&got[9 * l], &got[9 * l] + 9),
              (std::vector<uint32_t>{sum, sum, low, uint32_t(least), high, uint32_t(most), all, some, odd}));
}

// Four warps: all at barrier 0 with reductions, two pairs at barriers of their own, arrivals that do not wait.
TEST_F(Warp, NamedBarriers) {
  auto in = randoms(128, 3);
  auto got = run(1, 5,
                 "setp.ne.u32 %p0, %a0, 0;\nbar.red.popc.u32 %d0, 0, %p0;\nbar.red.and.pred %p1, 0, %p0;\nselp.u32 "
                 "%d1, 1, 0, %p1;\n"
                 "barrier.red.or.pred %p1, 0, !%p0;\nselp.u32 %d2, 1, 0, %p1;\n"
                 "shr.u32 %t1, %t0, 6;\nadd.u32 %t1, %t1, 3;\nbarrier.cta.red.popc.aligned.u32 %d3, %t1, 64, %p0;\n"
                 // Warps 0 and 1 write and arrive, warps 2 and 3 wait and read what the thread 64 below wrote.
                 "mov.u32 %t2, sm;\nmad.lo.u32 %t3, %t0, 4, %t2;\nsetp.ge.u32 %p2, %t0, 64;\n@%p2 bra "
                 "READ;\nst.shared.u32 [%t3], %a0;\n"
                 "bar.arrive 9, 128;\nmov.u32 %d4, 7;\nbra END;\nREAD: bar.sync 9, 128;\nld.shared.u32 %d4, "
                 "[%t3+-256];\nEND: barrier.sync 0;\n",
                 in, 128);
  uint32_t ones = 0, half[2] = {};
  for (size_t t = 0; t < 128; ++t)
    ones += in[t] != 0, half[t / 64] += in[t] != 0;
  for (size_t t = 0; t < 128; ++t) {
    EXPECT_EQ(got[5 * t], ones);
    EXPECT_EQ(got[5 * t + 1], uint32_t(ones == 128));
    EXPECT_EQ(got[5 * t + 2], uint32_t(ones != 128));
    EXPECT_EQ(got[5 * t + 3], half[t / 64]);
    EXPECT_EQ(got[5 * t + 4], t < 64 ? 7 : in[t - 64]);
  }
}

TEST_F(Warp, SmallOnes) { // hints, and instructions that only pass the time, change nothing
  auto in = randoms(32);
  std::string body = "nanosleep.u32 20;\npmevent 3;\nbrkpt;\nmov.u32 %d0, %a0;\n";
  auto memory = zeros<uint32_t>(64);
  if (arch >= 80)
    body += "prefetch.global.L2::evict_last [%rd4];\napplypriority.global.L2::evict_normal [%rd4], 128;\n";
  if (arch >= 80) // after discard the bytes are undefined until they are written
    body += "discard.global.L2 [%rd5], 128;\nmad.wide.u32 %q0, %t0, 4, %rd5;\nst.global.u32 [%q0], %a0;\nld.global.u32 "
            "%d0, [%q0];\n";
  if (arch >= 90)
    body += "griddepcontrol.wait;\ngriddepcontrol.launch_dependents;\n";
  auto scratch = zeros<uint32_t>(64);
  EXPECT_EQ(run(1, 1, body, in, 32, memory, scratch), in);
}

} // namespace
