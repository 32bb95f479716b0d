#include "runtime/driver/thread_pool.h"
#include <algorithm>
#include <chrono>

namespace tessera {

// A decode step launches hundreds of kernels a few microseconds apart: a worker stays awake across such gaps, but not
// across the pauses between tokens of a slow consumer.
static constexpr auto spinTime = std::chrono::microseconds(60);
static constexpr int64_t chunksPerThread = 4;
static constexpr int chunkBits = 12; // of `next` and of `end` in a share's word
static constexpr uint64_t chunkMask = (uint64_t(1) << chunkBits) - 1;
static constexpr int maxThreads = int(chunkMask / chunksPerThread);

static void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// Spins until done() or until spinTime is over; whether done() was seen.
template <class F> static bool spin(const F &done) {
  auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 64; ++i) {
      if (done())
        return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() - start < spinTime);
  return done();
}

static int64_t split(int64_t total, int64_t parts, int64_t i) { return total / parts * i + std::min(total % parts, i); }

ThreadPool::ThreadPool(int threads)
    : shares(size_t(std::clamp(threads > 0 ? threads : int(std::thread::hardware_concurrency()), 1, maxThreads))) {
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    CPU_ZERO(&allowed);
  for (int i = 1; i < this->threads(); ++i)
    workers.emplace_back([this, i] { workerLoop(i); });
}

ThreadPool::~ThreadPool() {
  stopping = true;
  ++doorbell;
  doorbell.notify_all();
  for (std::thread &worker : workers)
    worker.join();
}

void ThreadPool::run(int64_t tasks, Body body, const void *context) {
  if (tasks <= 0)
    return;
  if (threads() == 1 || tasks == 1)
    return body(context, 0, tasks);
  std::lock_guard lock(turn);
  int64_t chunks = std::min(tasks, chunksPerThread * threads());
  uint64_t id = current.load(std::memory_order_relaxed) + 1;
  job.tasks.store(tasks, std::memory_order_relaxed);
  job.chunks.store(chunks, std::memory_order_relaxed);
  job.body.store(body, std::memory_order_relaxed);
  job.context.store(context, std::memory_order_relaxed);
  open.store(int32_t(chunks), std::memory_order_relaxed);
  for (int i = 0; i < threads(); ++i)
    shares[size_t(i)].claims.store(id << 2 * chunkBits | uint64_t(split(chunks, threads(), i + 1)) << chunkBits |
                                       uint64_t(split(chunks, threads(), i)),
                                   std::memory_order_release);
  // Sequentially consistent, as is the sleeper's count: either we see the sleeper or it sees the new job.
  current.store(id);
  doorbell.store(uint32_t(id));
  if (sleepers.load() > 0) {
    keepOff(sched_getcpu());
    doorbell.notify_all();
  }
  work(0, id);
  auto finished = [&] { return open.load(std::memory_order_acquire) == 0; };
  if (!spin(finished))
    for (int32_t left; (left = open.load(std::memory_order_acquire)) != 0;)
      open.wait(left, std::memory_order_acquire);
}

// A guest's kernel takes a halted virtual CPU for one that its host has given away, and wakes a worker on the caller's
// CPU instead; the caller then does the whole job before the next tick moves the worker: a launch after a pause took
// twice as long on two threads.
void ThreadPool::keepOff(int cpu) {
  if (cpu < 0 || cpu == avoided || CPU_COUNT(&allowed) < threads())
    return;
  avoided = cpu;
  cpu_set_t others = allowed;
  CPU_CLR(size_t(cpu), &others);
  for (std::thread &worker : workers) // where it fails the worker stays where it was, which is slower but right
    pthread_setaffinity_np(worker.native_handle(), sizeof others, &others);
}

void ThreadPool::work(int self, uint64_t id) {
  int64_t tasks = job.tasks.load(std::memory_order_relaxed);
  int64_t chunks = job.chunks.load(std::memory_order_relaxed);
  Body body = job.body.load(std::memory_order_relaxed);
  const void *context = job.context.load(std::memory_order_relaxed);
  for (int i = 0; i < threads(); ++i) {
    std::atomic<uint64_t> &claims = shares[size_t((self + i) % threads())].claims;
    uint64_t claim = claims.load(std::memory_order_acquire);
    while (claim >> 2 * chunkBits == (id & ~uint64_t(0) >> 2 * chunkBits) &&
           (claim & chunkMask) < (claim >> chunkBits & chunkMask)) {
      if (!claims.compare_exchange_weak(claim, claim + 1, std::memory_order_acq_rel))
        continue;
      int64_t chunk = int64_t(claim & chunkMask);
      body(context, split(tasks, chunks, chunk), split(tasks, chunks, chunk + 1));
      if (open.fetch_sub(1, std::memory_order_acq_rel) == 1)
        open.notify_one();
      claim = claims.load(std::memory_order_acquire);
    }
  }
}

// The id of a job newer than `last`; unchanged only when the pool stops.
uint64_t ThreadPool::awaitJob(uint64_t last) {
  auto arrived = [&] { return current.load(std::memory_order_acquire) != last || stopping.load(); };
  while (!spin(arrived)) {
    uint32_t seen = doorbell.load();
    ++sleepers;
    if (current.load() == last && !stopping)
      doorbell.wait(seen);
    --sleepers;
  }
  return current.load(std::memory_order_acquire);
}

void ThreadPool::workerLoop(int self) {
  for (uint64_t last = 0; !stopping;) {
    last = awaitJob(last);
    work(self, last);
  }
}

} // namespace tessera
