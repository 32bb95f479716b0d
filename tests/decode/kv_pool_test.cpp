#include "runtime/decode/kv_pool.h"
#include <gtest/gtest.h>
#include <map>
#include <random>

namespace tessera::decode {

class KvPoolTest : public testing::Test {
protected:
  Device device = Device::open("cpu", {.threads = 1}).value();
  KvPool make(int64_t pages, int64_t pageSize) { return KvPool::make(device, {2, 3, 8, pages, pageSize}).value(); }
};

TEST_F(KvPoolTest, SlotsFollowThePages) {
  KvPool pool = make(8, 4);
  KvSequence sequence = pool.sequence();
  std::vector<int32_t> slots(6);
  ASSERT_TRUE(sequence.append(6, slots));
  EXPECT_EQ(sequence.length(), 6);
  ASSERT_EQ(sequence.pages().size(), 2u);
  for (int64_t i = 0; i < 6; ++i)
    EXPECT_EQ(slots[size_t(i)], sequence.pages()[size_t(i / 4)] * 4 + i % 4);
  EXPECT_EQ(pool.freePages(), 6);
  EXPECT_EQ(pool.bytes(), 2 * 2 * 8 * 3 * 4 * 8 * 2);
}

TEST_F(KvPoolTest, ExhaustionIsAClearErrorAndChangesNothing) {
  KvPool pool = make(3, 4);
  KvSequence sequence = pool.sequence();
  std::vector<int32_t> slots(20);
  ASSERT_TRUE(sequence.append(5, slots));
  Status full = sequence.append(8, slots);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().message, "the KV pool is exhausted: all of its 3 pages are in use");
  EXPECT_EQ(full.error().blame, Blame::device);
  EXPECT_EQ(sequence.length(), 5);
  EXPECT_EQ(pool.freePages(), 1);
  EXPECT_TRUE(sequence.append(7, slots));
}

TEST_F(KvPoolTest, ADeadSequenceGivesItsPagesBack) {
  KvPool pool = make(4, 4);
  std::vector<int32_t> slots(16);
  {
    KvSequence sequence = pool.sequence();
    ASSERT_TRUE(sequence.append(16, slots));
    EXPECT_EQ(pool.freePages(), 0);
    KvSequence moved = std::move(sequence);
    moved = pool.sequence();
  }
  EXPECT_EQ(pool.freePages(), 4);
}

TEST_F(KvPoolTest, ForkSharesWholePagesAndCopiesTheLast) {
  KvPool pool = make(8, 4);
  KvSequence parent = pool.sequence();
  std::vector<int32_t> slots(6);
  ASSERT_TRUE(parent.append(6, slots));
  for (int64_t layer = 0; layer < 2; ++layer)
    for (const Buffer *side : {&pool.keys(layer), &pool.values(layer)}) {
      auto words = side->slice(parent.pages()[1], 1).value().host<uint16_t>();
      std::fill(words.begin(), words.end(), uint16_t(7 + layer + (side == &pool.values(layer) ? 100 : 0)));
    }
  KvSequence child = pool.fork(parent).value();
  EXPECT_EQ(child.length(), 6);
  EXPECT_EQ(child.pages()[0], parent.pages()[0]);
  EXPECT_NE(child.pages()[1], parent.pages()[1]);
  for (int64_t layer = 0; layer < 2; ++layer) {
    EXPECT_EQ(pool.keys(layer).slice(child.pages()[1], 1).value().host<uint16_t>()[5], 7 + layer);
    EXPECT_EQ(pool.values(layer).slice(child.pages()[1], 1).value().host<uint16_t>()[5], 107 + layer);
  }
  parent.truncate(0);
  EXPECT_EQ(pool.freePages(), 8 - 2); // the shared page lives on with the child
}

TEST_F(KvPoolTest, ForkOfAFullPoolFailsAndLeaksNothing) {
  KvPool pool = make(2, 4);
  KvSequence parent = pool.sequence();
  std::vector<int32_t> slots(6);
  ASSERT_TRUE(parent.append(6, slots));
  EXPECT_FALSE(pool.fork(parent));
  parent.truncate(0);
  EXPECT_EQ(pool.freePages(), 2);
}

TEST_F(KvPoolTest, RefusesImpossibleSizes) {
  EXPECT_FALSE(KvPool::make(device, {1, 1, 8, 0, 16}));
  EXPECT_FALSE(KvPool::make(device, {1, 1, 8, 16, 0}));
  EXPECT_FALSE(KvPool::make(device, {1, 1, 8, int64_t(1) << 31, 16}));
}

// Random appends, forks, truncations and deaths against a model in which every position has an owner's value: a page
// may be shared only where both owners hold the same value at all of their common positions.
TEST_F(KvPoolTest, RandomOperationsMatchASimpleModel) {
  std::mt19937 random(7);
  for (int64_t pageSize : {1, 3, 16}) {
    KvPool pool = make(24, pageSize);
    struct Known {
      KvSequence sequence;
      std::vector<int> values; // what was written at each position
    };
    std::vector<Known> all;
    std::map<int32_t, int> memory; // by slot
    int stamp = 0;
    for (int step = 0; step < 3000; ++step) {
      size_t pick = all.empty() ? 0 : random() % all.size();
      switch (random() % 5) {
      case 0:
        all.push_back({pool.sequence(), {}});
        break;
      case 1:
      case 2: {
        if (all.empty())
          break;
        int64_t count = 1 + int64_t(random() % 20);
        std::vector<int32_t> slots(static_cast<size_t>(count));
        int64_t length = all[pick].sequence.length(), free = pool.freePages();
        int64_t needed = (length + count + pageSize - 1) / pageSize - (length + pageSize - 1) / pageSize;
        bool done = bool(all[pick].sequence.append(count, slots));
        ASSERT_EQ(done, needed <= free);
        for (int32_t slot : done ? slots : std::vector<int32_t>()) {
          all[pick].values.push_back(++stamp);
          memory[slot] = stamp;
        }
        break;
      }
      case 3: {
        if (all.empty())
          break;
        bool fits = pool.freePages() > 0 || all[pick].sequence.length() % pageSize == 0;
        Result<KvSequence> child = pool.fork(all[pick].sequence);
        ASSERT_EQ(bool(child), fits);
        if (!child)
          break;
        for (int64_t p = 0; p < child->length(); ++p) // the copy of the last page
          memory[child->pages()[size_t(p / pageSize)] * int32_t(pageSize) + int32_t(p % pageSize)] =
              all[pick].values[size_t(p)];
        all.push_back({std::move(*child), all[pick].values});
        break;
      }
      case 4:
        if (all.empty())
          break;
        if (random() % 2) {
          std::swap(all[pick], all.back());
          all.pop_back();
        } else if (int64_t length = all[pick].sequence.length()) {
          // Only to a page's border: the rest of a shared page stays its other owner's.
          int64_t keep = int64_t(random() % uint64_t(length)) / pageSize * pageSize;
          all[pick].sequence.truncate(keep);
          all[pick].values.resize(size_t(keep));
        }
      }
      std::map<int32_t, int> owners;
      for (const Known &known : all) {
        ASSERT_EQ(known.sequence.length(), int64_t(known.values.size()));
        for (int32_t page : known.sequence.pages())
          ++owners[page];
        for (int64_t p = 0; p < known.sequence.length(); ++p)
          ASSERT_EQ(memory[known.sequence.pages()[size_t(p / pageSize)] * int32_t(pageSize) + int32_t(p % pageSize)],
                    known.values[size_t(p)]);
      }
      ASSERT_EQ(pool.freePages() + int64_t(owners.size()), 24);
    }
  }
}

} // namespace tessera::decode
