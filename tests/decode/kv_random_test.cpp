// The KV pool under random operations (begin, append, fork, free, abort) against a model of who holds which page and
// what was written where. Built a second and a third time with the address and the thread sanitizer.
#include "runtime/decode/kv_pool.h"
#include <gtest/gtest.h>
#include <random>
#include <thread>

namespace tessera::decode {
namespace {

constexpr int64_t pages = 96, pageSize = 5, headDim = 8;
constexpr size_t mostSequences = 24;

class Random {
public:
  Random(const Device &device, uint32_t seed)
      : pool(KvPool::make(device, {1, 1, headDim, pages, pageSize}).value()), random(seed), holders(size_t(pages), 0) {}

  // Every operation is checked; the first fault ends the run.
  void run(int64_t operations) {
    for (done = 0; done < operations && !testing::Test::HasFailure(); ++done) {
      if (sequences.empty() || (sequences.size() < mostSequences && random() % 16 == 0)) {
        sequences.push_back({pool.sequence(), {}});
        continue;
      }
      size_t pick = random() % sequences.size();
      switch (random() % 8) {
      case 0:
        fork(pick);
        break;
      case 1:
        release(pick);
        break;
      case 2:
        abort(pick);
        break;
      default:
        append(pick, 1 + int64_t(random() % 12));
      }
    }
    while (!sequences.empty())
      release(0);
    EXPECT_EQ(pool.freePages(), pages) << "pages leaked";
  }

private:
  struct Known {
    KvSequence sequence;
    std::vector<uint16_t> values; // what was written at each position
  };

  uint16_t &memory(int32_t slot) { return pool.keys(0).host<uint16_t>()[size_t(slot) * size_t(headDim)]; }
  int32_t slotOf(const KvSequence &sequence, int64_t position) const {
    return sequence.pages()[size_t(position / pageSize)] * int32_t(pageSize) + int32_t(position % pageSize);
  }
  void hold(std::span<const int32_t> table, int change) {
    for (int32_t page : table) {
      int before = holders[size_t(page)], after = before + change;
      ASSERT_GE(after, 0) << "a page was freed twice";
      holders[size_t(page)] = after;
      held += (after > 0) - (before > 0);
    }
  }
  // Runs `change` on the sequence and keeps the model's count of holders.
  template <class F> void change(Known &known, F &&change) {
    std::vector<int32_t> before(known.sequence.pages().begin(), known.sequence.pages().end());
    change();
    std::span<const int32_t> after = known.sequence.pages();
    size_t same = 0;
    while (same < std::min(before.size(), after.size()) && before[same] == after[same])
      ++same;
    hold(std::span(before).subspan(same), -1);
    hold(after.subspan(same), 1);
    check(known);
  }
  void check(const Known &known) {
    ASSERT_EQ(pool.freePages(), pages - held) << "after operation " << done;
    ASSERT_EQ(known.sequence.length(), int64_t(known.values.size()));
    ASSERT_EQ(int64_t(known.sequence.pages().size()), (known.sequence.length() + pageSize - 1) / pageSize);
    for (int i = 0; i < 4 && !known.values.empty(); ++i) {
      size_t position = random() % known.values.size();
      ASSERT_EQ(memory(slotOf(known.sequence, int64_t(position))), known.values[position])
          << "after operation " << done;
    }
  }

  void append(size_t pick, int64_t count) {
    Known &known = sequences[pick];
    int64_t length = known.sequence.length();
    int64_t needed = (length + count + pageSize - 1) / pageSize - (length + pageSize - 1) / pageSize;
    bool fits = needed <= pool.freePages();
    std::vector<int32_t> slots(static_cast<size_t>(count));
    change(known, [&] {
      ASSERT_EQ(bool(known.sequence.append(count, slots)), fits);
      for (int64_t i = 0; fits && i < count; ++i) {
        ASSERT_EQ(slots[size_t(i)], slotOf(known.sequence, length + i));
        known.values.push_back(uint16_t(random()));
        memory(slots[size_t(i)]) = known.values.back();
      }
    });
  }
  // A step that failed: what it appended goes again.
  void abort(size_t pick) {
    Known &known = sequences[pick];
    size_t length = known.values.size();
    append(pick, 1 + int64_t(random() % 30));
    change(known, [&] {
      known.sequence.truncate(int64_t(length));
      known.values.resize(length);
    });
  }
  void fork(size_t pick) {
    if (sequences.size() >= mostSequences)
      return;
    bool fits = pool.freePages() > 0 || sequences[pick].sequence.length() % pageSize == 0;
    Result<KvSequence> child = pool.fork(sequences[pick].sequence);
    ASSERT_EQ(bool(child), fits);
    if (!child)
      return;
    hold(child->pages(), 1);
    sequences.push_back({std::move(*child), sequences[pick].values});
    check(sequences.back());
  }
  void release(size_t pick) {
    hold(sequences[pick].sequence.pages(), -1);
    std::swap(sequences[pick], sequences.back());
    sequences.pop_back();
    ASSERT_EQ(pool.freePages(), pages - held) << "after operation " << done;
  }

  KvPool pool;
  std::mt19937 random;
  std::vector<Known> sequences;
  std::vector<int> holders; // sequences by page
  int64_t held = 0, done = 0;
};

TEST(KvRandom, OperationsMatchTheModel) {
  Device device = Device::open("cpu", {.threads = 1}).value();
  Random(device, 1).run(200'000);
}

// Pools of different threads share nothing but the device.
TEST(KvRandom, PoolsOfTwoThreadsAreApart) {
  Device device = Device::open("cpu", {.threads = 1}).value();
  std::thread other([&] { Random(device, 2).run(50'000); });
  Random(device, 3).run(50'000);
  other.join();
}

TEST(KvRandom, DISABLED_TenMillionOperations) {
  Device device = Device::open("cpu", {.threads = 1}).value();
  Random(device, 4).run(10'000'000);
}

} // namespace
} // namespace tessera::decode
