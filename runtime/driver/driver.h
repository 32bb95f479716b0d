// Driver: the few things the runtime asks of a vendor's device; one implementation a vendor (cpu.cpp, later cuda, hip).
#pragma once
#include "base/artifact.h"
#include "base/result.h"
#include "base/target.h"
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {
class ThreadPool;
}

namespace tessera::driver {

// Each driver derives its own from these.
struct KernelObject {}; // a loaded kernel
struct QueueObject {};  // an in-order queue of launches; null is the default queue
struct EventObject {};  // a point in a queue
struct GraphObject {};  // what a queue recorded

using Kernel = KernelObject *;
using Queue = QueueObject *;
using Event = EventObject *;
using Graph = GraphObject *;

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
  // The times between events are computed from a model of the chip, not measured: a virtual GPU.
  virtual bool isModelled() const { return false; }

  // At least 64-byte aligned, contents unspecified.
  virtual Result<void *> alloc(int64_t bytes) = 0;
  virtual void free(void *memory) = 0;
  // Host memory for copies: page-locked on a GPU, as anything else makes an asynchronous copy wait.
  virtual Result<void *> allocHost(int64_t bytes) { return alloc(bytes); }
  virtual void freeHost(void *memory) { free(memory); }
  virtual Status copyIn(void *device, const void *host, int64_t bytes) = 0;
  virtual Status copyOut(void *host, const void *device, int64_t bytes) = 0;
  // In the queue's order; the host memory must stay as it is until the queue was synchronized.
  virtual Status copyInAsync(Queue, void *device, const void *host, int64_t bytes) {
    return copyIn(device, host, bytes);
  }
  virtual Status copyOutAsync(Queue, void *host, const void *device, int64_t bytes) {
    return copyOut(host, device, bytes);
  }

  // Whether load() takes an artifact's machine code, and so saves the driver the compilation of PTX. A virtual GPU runs
  // the PTX itself.
  virtual bool runsCubins() const { return false; }
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

  // Between the two, launches and asynchronous copies of the queue are recorded and do not run; replay() runs them in
  // their order, as often as it is called, with the arguments and addresses that were recorded: kernels and memory must
  // outlive the graph. While it records, a queue can be neither synchronized nor replayed into, and the default queue,
  // which cannot record, must not be used: on a GPU a copyIn() or copyOut() waits for every queue and so spoils the
  // recording. endCapture() ends the recording also where it answers an error.
  virtual Status beginCapture(Queue queue) = 0;
  virtual Result<Graph> endCapture(Queue queue) = 0;
  virtual Status replay(Queue queue, Graph graph) = 0;
  virtual void destroy(Graph graph) = 0;

  // The threads that run programs, for host work beside the kernels; null on a GPU.
  virtual ThreadPool *threadPool() { return nullptr; }
  // What the device can tell of its last launch, as a JSON object (a virtual GPU: findings, counters, modelled time);
  // empty where it tells nothing.
  virtual std::string launchReport() { return {}; }
};

// The CPU as a device: launches run on `threads` threads (0 = all) before launch() returns. `name` is "cpu" or a row of
// base/targets.cpp that this machine can run.
Result<std::unique_ptr<Driver>> openCpu(std::string_view name, int threads);

// "cuda:N", the N-th device of the machine's libcuda, or "virtual:CHIP", a chip of the virtual driver: from there on
// the same code. Each opening of a virtual chip is a device of its own. A kernel that fails takes the device with it:
// every later call answers that failure.
Result<std::unique_ptr<Driver>> openCuda(std::string_view name);

// One NVIDIA device that can be opened now.
struct CudaDevice {
  std::string name;      // as openCuda takes it
  std::string processor; // the chip's full name
  std::string driver;    // whose driver, and its version
  int arch = 0;          // compute capability times ten
  int multiprocessors = 0;
  int64_t memoryBytes = 0, sharedBytes = 0; // shared: the most that a block can have
  bool isVirtual = false;
};
// The real ones, then the virtual ones; a driver that is not there has none.
std::vector<CudaDevice> listCuda();

} // namespace tessera::driver
