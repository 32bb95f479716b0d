// ThreadPool: runs the program instances of one kernel at a time on a fixed set of threads, the caller among them.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <sched.h>
#include <thread>
#include <vector>

namespace tessera {

// Each thread owns a contiguous share of the tasks, cut into a few chunks, and takes chunks from others once its own
// are gone. A task must not depend on which thread runs it or in which order, so results never depend on `threads`.
// run() may be called from any thread, one job at a time (others wait their turn), but never from inside a task.
class ThreadPool {
public:
  // `threads` counts the caller: 1 starts no worker, values below 1 mean one a hardware thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return int(shares.size()); }

  using Body = void (*)(const void *context, int64_t begin, int64_t end);
  // Calls body(context, begin, end) for disjoint ranges that cover [0, tasks); returns when all are done. Allocates
  // nothing.
  void run(int64_t tasks, Body body, const void *context);

  // The same for a callable `void(int64_t begin, int64_t end)`.
  template <class F> void each(int64_t tasks, const F &f) {
    run(tasks, [](const void *c, int64_t begin, int64_t end) { (*static_cast<const F *>(c))(begin, end); }, &f);
  }

private:
  // A share's unclaimed chunks in one word, (job id, end, next): a worker that wakes up late can claim neither a chunk
  // of a newer job nor one past the end of its own.
  struct alignas(64) Share {
    std::atomic<uint64_t> claims{0};
  };
  // Fields are atomic because a late worker may read them while the next job is being written; a successful claim
  // proves that what it read belonged to the claimed job.
  struct Job {
    std::atomic<int64_t> tasks{0};
    std::atomic<int64_t> chunks{0};
    std::atomic<Body> body{nullptr};
    std::atomic<const void *> context{nullptr};
  };
  void work(int self, uint64_t id);
  void workerLoop(int self);
  uint64_t awaitJob(uint64_t last);
  void keepOff(int cpu);

  std::vector<Share> shares; // one a thread; 0 is the caller's
  Job job;
  std::atomic<uint64_t> current{0};         // id of the newest job
  std::atomic<uint32_t> doorbell{0};        // low bits of `current`, 32 wide for the futex
  std::atomic<int32_t> sleepers{0};         // workers that wait at the doorbell
  alignas(64) std::atomic<int32_t> open{0}; // chunks not finished yet
  std::atomic<bool> stopping{false};
  std::mutex turn;
  cpu_set_t allowed; // what the creator may run on; none where that is not known
  int avoided = -1;  // the CPU that workers keep off, under `turn`
  std::vector<std::thread> workers;
};

} // namespace tessera
