#include "runtime/decode/memory_plan.h"
#include <gtest/gtest.h>
#include <random>

namespace tessera::decode {

static bool together(const Lifetime &a, const Lifetime &b) { return a.first <= b.last && b.first <= a.last; }

TEST(MemoryPlan, ReusesWhatIsDead) {
  const Lifetime chain[] = {{1000, 0, 1}, {1000, 1, 2}, {1000, 2, 3}, {1000, 3, 4}};
  EXPECT_EQ(planMemory(chain).bytes, 2 * 1024);
}

TEST(MemoryPlan, NothingNeedsNothing) { EXPECT_EQ(planMemory({}).bytes, 0); }

TEST(MemoryPlan, TensorsThatLiveTogetherNeverShareBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<Lifetime> tensors(1 + random() % 40);
    for (Lifetime &t : tensors) {
      t.first = int64_t(random() % 30);
      t.last = t.first + int64_t(random() % 6);
      t.bytes = int64_t(random() % 5000);
    }
    MemoryPlan plan = planMemory(tensors);
    int64_t live = 0; // what is alive at the fullest moment bounds the arena from below
    for (int64_t now = 0; now < 40; ++now) {
      int64_t sum = 0;
      for (const Lifetime &t : tensors)
        sum += t.first <= now && now <= t.last ? t.bytes : 0;
      live = std::max(live, sum);
    }
    EXPECT_GE(plan.bytes, live);
    for (size_t a = 0; a < tensors.size(); ++a) {
      EXPECT_EQ(plan.offsets[a] % 64, 0);
      EXPECT_LE(plan.offsets[a] + tensors[a].bytes, plan.bytes);
      for (size_t b = 0; b < a; ++b)
        if (together(tensors[a], tensors[b]))
          EXPECT_TRUE(plan.offsets[a] + tensors[a].bytes <= plan.offsets[b] ||
                      plan.offsets[b] + tensors[b].bytes <= plan.offsets[a]);
    }
  }
}

} // namespace tessera::decode
