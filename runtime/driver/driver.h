// Driver: the few things the runtime asks of a vendor's device; one implementation a vendor (cpu.cpp, later cuda, hip).
#pragma once
#include "base/artifact.h"
#include "base/result.h"
#include "base/target.h"
#include <memory>
#include <span>
#include <string_view>

namespace tessera {
class ThreadPool;
}

namespace tessera::driver {

struct KernelObject; // a loaded kernel, the driver's own
struct QueueObject;  // an in-order queue of launches; null is the default queue
struct EventObject;  // a point in a queue

using Kernel = KernelObject *;
using Queue = QueueObject *;
using Event = EventObject *;

// One launch: `args` as base/artifact.h lays them out, `grid` the programs along each axis, the first the slowest.
struct Launch {
  std::span<const int64_t> args;
  std::span<const int64_t> grid;
};

// Thread-safe. Objects must be given back before the driver dies; pointers to device memory are opaque where
// hostVisible() is false.
class Driver {
public:
  virtual ~Driver() = default;
  virtual const Target &target() const = 0;
  virtual bool hostVisible() const = 0;

  // At least 64-byte aligned, contents unspecified.
  virtual Result<void *> alloc(int64_t bytes) = 0;
  virtual void free(void *memory) = 0;
  virtual Status copyIn(void *device, const void *host, int64_t bytes) = 0;
  virtual Status copyOut(void *host, const void *device, int64_t bytes) = 0;

  // Makes the artifact's code runnable. Refuses one that was compiled for another target.
  virtual Result<Kernel> load(const Artifact &artifact) = 0;
  virtual void unload(Kernel kernel) = 0;
  virtual Status launch(Queue queue, Kernel kernel, const Launch &launch) = 0;

  virtual Result<Queue> openQueue() = 0;
  virtual void closeQueue(Queue queue) = 0;
  virtual Status synchronize(Queue queue) = 0;
  virtual Result<Event> record(Queue queue) = 0;
  virtual void destroy(Event event) = 0;
  virtual Result<double> elapsedMs(Event from, Event to) = 0;

  // The threads that run programs, for host work beside the kernels; null on a GPU.
  virtual ThreadPool *threadPool() { return nullptr; }
};

// The CPU as a device: launches run on `threads` threads (0 = all) before launch() returns. `name` is "cpu" or a row of
// base/targets.cpp that this machine can run.
Result<std::unique_ptr<Driver>> openCpu(std::string_view name, int threads);

} // namespace tessera::driver
