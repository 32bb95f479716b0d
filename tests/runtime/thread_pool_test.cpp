#include "runtime/driver/thread_pool.h"
#include <chrono>
#include <gtest/gtest.h>
#include <numeric>
#include <sys/resource.h>

namespace tessera {

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (int threads : {1, 2, 3, 8})
    for (int64_t tasks : {0, 1, 2, 3, 7, 8, 31, 1000}) {
      ThreadPool pool(threads);
      std::vector<int> runs(size_t(tasks), 0);
      pool.each(tasks, [&](int64_t begin, int64_t end) {
        EXPECT_LT(begin, end);
        for (int64_t i = begin; i < end; ++i)
          ++runs[size_t(i)]; // a task that ran twice at once would be a race for the thread sanitizer
      });
      EXPECT_EQ(runs, std::vector<int>(size_t(tasks), 1)) << threads << " threads, " << tasks << " tasks";
    }
}

// Jobs in quick succession, each of which reads what the one before wrote: a late worker of an old job must neither
// claim tasks of the new one nor leave its own unfinished.
TEST(ThreadPool, ManySmallJobsFollowEachOther) {
  ThreadPool pool(4);
  std::vector<int64_t> values(64, 0);
  for (int64_t job = 0; job < 20000; ++job) {
    int64_t tasks = 2 + job % 63;
    pool.each(tasks, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        values[size_t(i)] += i + 1;
    });
  }
  std::vector<int64_t> expected(64, 0);
  for (int64_t job = 0; job < 20000; ++job)
    for (int64_t i = 0; i < 2 + job % 63; ++i)
      expected[size_t(i)] += i + 1;
  EXPECT_EQ(values, expected);
}

TEST(ThreadPool, WakesWorkersThatSleep) {
  ThreadPool pool(3);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2)); // longer than the workers spin
    std::atomic<int64_t> sum{0};
    pool.each(100, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        sum += i;
    });
    EXPECT_EQ(sum, 4950);
  }
}

// A worker that is woken on the caller's CPU waits while the caller does its work: it may not run there.
TEST(ThreadPool, WorkersThatWakeKeepOffTheCallersCpu) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof allowed, &allowed), 0);
  if (CPU_COUNT(&allowed) < 2)
    GTEST_SKIP() << "this process may use one CPU only";
  ThreadPool pool(2);
  std::thread::id caller = std::this_thread::get_id();
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed))
      continue;
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(cpu, &here);
    ASSERT_EQ(pthread_setaffinity_np(pthread_self(), sizeof here, &here), 0);
    bool keptOff = false;
    // A busy machine may give the worker no time to fall asleep, or none to take a task: then another round does.
    for (int round = 0; round < 1000 && !keptOff; ++round) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      std::atomic<bool> off{false};
      pool.each(8, [&](int64_t, int64_t) {
        cpu_set_t mine;
        if (std::this_thread::get_id() == caller)
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        else if (pthread_getaffinity_np(pthread_self(), sizeof mine, &mine) == 0)
          off = !CPU_ISSET(cpu, &mine) && CPU_COUNT(&mine) == CPU_COUNT(&allowed) - 1;
      });
      keptOff = off;
    }
    EXPECT_TRUE(keptOff) << "the worker may run on CPU " << cpu;
  }
  pthread_setaffinity_np(pthread_self(), sizeof allowed, &allowed);
}

TEST(ThreadPool, ALongTaskHoldsUpNobodyElse) {
  ThreadPool pool(2);
  std::atomic<int> quick{0};
  pool.each(64, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      if (i == 0)
        while (quick < 56) // the share of the slow thread is taken over by the other, all but the chunk it is in
          std::this_thread::yield();
      else
        ++quick;
  });
  EXPECT_EQ(quick, 63);
}

TEST(ThreadPool, TakesJobsFromSeveralThreads) {
  ThreadPool pool(2);
  std::atomic<int64_t> sum{0};
  auto submit = [&] {
    for (int i = 0; i < 500; ++i)
      pool.each(10, [&](int64_t begin, int64_t end) { sum += end - begin; });
  };
  std::thread other(submit);
  submit();
  other.join();
  EXPECT_EQ(sum, 10000);
}

TEST(ThreadPool, IdleWorkersUseNoTime) {
  ThreadPool pool(4);
  pool.each(100, [](int64_t, int64_t) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  auto cpuUs = [] {
    rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1'000'000 + use.ru_utime.tv_usec + use.ru_stime.tv_usec;
  };
  auto before = cpuUs();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(cpuUs() - before, 50'000);
}

} // namespace tessera
