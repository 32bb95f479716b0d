// The CPU driver: ORC's LLJIT links an artifact's ELF object into the process; launches run on the thread pool.
#include "runtime/driver/driver.h"
#include "runtime/driver/thread_pool.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"
#include "llvm/Support/TargetSelect.h"
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sys/mman.h>

namespace tessera::driver {

using Entry = void (*)(const int64_t *args, int64_t begin, int64_t end);
using Clock = std::chrono::steady_clock;

namespace {

struct CpuKernel : KernelObject {
  CpuKernel(Entry entry, llvm::orc::JITDylib *library) : entry(entry), library(library) {}
  Entry entry;
  llvm::orc::JITDylib *library;
};
struct CpuEvent : EventObject {
  explicit CpuEvent(Clock::time_point time) : time(time) {}
  Clock::time_point time;
};

// A launch or a copy that waits to be replayed.
struct Step {
  CpuKernel *kernel = nullptr; // null: a copy
  std::vector<int64_t> args, grid;
  void *to = nullptr;
  const void *from = nullptr;
  int64_t bytes = 0;
};
struct CpuGraph : GraphObject {
  std::vector<Step> steps;
};
struct CpuQueue : QueueObject {
  std::unique_ptr<CpuGraph> recording;
};
CpuGraph *recordingOf(Queue queue) { return queue ? static_cast<CpuQueue *>(queue)->recording.get() : nullptr; }

constexpr int64_t cacheLine = 64;
constexpr int64_t hugePage = 2 << 20;
constexpr int64_t addressSpace = int64_t(1) << 47; // of an x86-64 process

std::string text(llvm::Error error) { return llvm::toString(std::move(error)); }

class Cpu final : public Driver {
public:
  Cpu(const Target &row, int threads, std::unique_ptr<llvm::orc::LLJIT> jit)
      : row(row), pool(threads), jit(std::move(jit)) {}

  const Target &target() const override { return row; }
  bool hostVisible() const override { return true; }
  ThreadPool *threadPool() override { return &pool; }

  Result<void *> alloc(int64_t bytes) override {
    // Weights are streamed from end to end for every token: huge pages spare most of the TLB misses.
    int64_t align = bytes >= 2 * hugePage ? hugePage : cacheLine;
    if (bytes < 0 || bytes > addressSpace)
      return deviceError("no machine has " + std::to_string(bytes) + " bytes of memory for one buffer");
    int64_t rounded = (std::max<int64_t>(bytes, 1) + align - 1) / align * align;
    void *memory = std::aligned_alloc(size_t(align), size_t(rounded));
    if (!memory)
      return deviceError("the machine has no " + std::to_string(bytes) + " bytes of memory left");
    if (align == hugePage)
      madvise(memory, size_t(rounded), MADV_HUGEPAGE); // a hint: failure costs speed only
    return memory;
  }
  void free(void *memory) override { std::free(memory); }
  Status copyIn(void *device, const void *host, int64_t bytes) override { return copy(device, host, bytes); }
  Status copyOut(void *host, const void *device, int64_t bytes) override { return copy(host, device, bytes); }

  Status copyInAsync(Queue queue, void *device, const void *host, int64_t bytes) override {
    return copy(queue, device, host, bytes);
  }
  Status copyOutAsync(Queue queue, void *host, const void *device, int64_t bytes) override {
    return copy(queue, host, device, bytes);
  }

  Result<Kernel> load(const Artifact &artifact) override;
  void unload(Kernel handle) override {
    auto *kernel = static_cast<CpuKernel *>(handle);
    if (llvm::Error error = jit->getExecutionSession().removeJITDylib(*kernel->library))
      llvm::consumeError(std::move(error)); // the code stays mapped: a leak, not a fault
    delete kernel;
  }

  Status launch(Queue queue, Kernel kernel, const Launch &launch) override {
    if (CpuGraph *graph = recordingOf(queue)) {
      graph->steps.push_back({.kernel = static_cast<CpuKernel *>(kernel),
                              .args = {launch.args.begin(), launch.args.end()},
                              .grid = {launch.grid.begin(), launch.grid.end()}});
      return {};
    }
    int64_t programs = 1;
    for (int64_t along : launch.grid)
      if (__builtin_mul_overflow(programs, along, &programs))
        return invalidArgument("a grid of more than 2^63 programs cannot be launched");
    struct Call {
      Entry entry;
      const int64_t *args;
    } call = {static_cast<CpuKernel *>(kernel)->entry, launch.args.data()};
    pool.run(
        programs,
        [](const void *context, int64_t begin, int64_t end) {
          const Call &call = *static_cast<const Call *>(context);
          call.entry(call.args, begin, end);
        },
        &call);
    return {};
  }

  Result<Queue> openQueue() override { return new CpuQueue; }
  void closeQueue(Queue queue) override { delete static_cast<CpuQueue *>(queue); }
  Status synchronize(Queue queue) override {
    return recordingOf(queue) ? invalidArgument("a stream cannot be synchronized while it records a graph") : Status();
  }
  Result<Event> record(Queue) override { return new CpuEvent(Clock::now()); }
  void destroy(Event event) override { delete static_cast<CpuEvent *>(event); }
  Result<double> elapsedMs(Event from, Event to) override {
    auto time = [](Event event) { return static_cast<CpuEvent *>(event)->time; };
    return std::chrono::duration<double, std::milli>(time(to) - time(from)).count();
  }

  Status beginCapture(Queue queue) override {
    if (!queue)
      return unsupported("the default queue cannot record a graph: open a queue of its own");
    if (recordingOf(queue))
      return invalidArgument("the stream is recording a graph already");
    static_cast<CpuQueue *>(queue)->recording = std::make_unique<CpuGraph>();
    return {};
  }
  Result<Graph> endCapture(Queue queue) override {
    if (!recordingOf(queue))
      return invalidArgument("the stream is not recording a graph");
    return static_cast<CpuQueue *>(queue)->recording.release();
  }
  Status replay(Queue queue, Graph graph) override {
    if (recordingOf(queue))
      return invalidArgument("a graph cannot be replayed into a stream that records one");
    for (const Step &step : static_cast<CpuGraph *>(graph)->steps)
      TESSERA_TRY(step.kernel ? launch(queue, step.kernel, {step.args, step.grid})
                              : copy(step.to, step.from, step.bytes));
    return {};
  }
  void destroy(Graph graph) override { delete static_cast<CpuGraph *>(graph); }

private:
  static Status copy(Queue queue, void *to, const void *from, int64_t bytes) {
    CpuGraph *graph = recordingOf(queue);
    if (!graph)
      return copy(to, from, bytes);
    graph->steps.push_back({.to = to, .from = from, .bytes = bytes});
    return {};
  }
  static Status copy(void *to, const void *from, int64_t bytes) {
    if (bytes > 0)
      std::memcpy(to, from, size_t(bytes));
    return {};
  }

  const Target &row;
  ThreadPool pool;
  std::unique_ptr<llvm::orc::LLJIT> jit;
  std::atomic<uint64_t> loads{0}; // names the libraries
};

// memcpy, memset and the like, which code generation may call, come from the process: LLJIT links every new library to
// it.
Result<Kernel> Cpu::load(const Artifact &artifact) {
  const std::string &name = artifact.signature.name;
  if (artifact.target != row.name)
    return invalidArgument("kernel '" + name + "' was compiled for " + artifact.target + ", but the device is " +
                           std::string(row.name));
  auto failed = [&](llvm::Error error) {
    return internalError("the object of kernel '" + name + "' cannot be linked: " + text(std::move(error)));
  };
  auto library = jit->createJITDylib(name + "." + std::to_string(++loads));
  if (!library)
    return failed(library.takeError());
  // The library goes again on every way out but the last.
  auto drop = [&](llvm::Error error) {
    Error told = failed(std::move(error));
    llvm::consumeError(jit->getExecutionSession().removeJITDylib(*library));
    return told;
  };
  if (llvm::Error error = jit->addObjectFile(*library, llvm::MemoryBuffer::getMemBufferCopy(artifact.bytes, name)))
    return drop(std::move(error));
  auto symbol = jit->lookup(*library, artifact.entry);
  if (!symbol)
    return drop(symbol.takeError());
  return new CpuKernel(symbol->toPtr<Entry>(), &*library);
}

} // namespace

Result<std::unique_ptr<Driver>> openCpu(std::string_view name, int threads) {
  const Target *row = TESSERA_TRY(findTarget(name));
  if (row->vendor != Vendor::cpu)
    return unsupported("'" + std::string(name) + "' is not a CPU");
  if (!hostCanRun(*row))
    return unsupported("this machine's CPU lacks what '" + std::string(name) + "' needs: " + std::string(row->needs));
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
  auto jit = llvm::orc::LLJITBuilder().create();
  if (!jit)
    return internalError("the linker of compiled kernels does not start: " + text(jit.takeError()));
  return std::unique_ptr<Driver>(std::make_unique<Cpu>(*row, threads, std::move(*jit)));
}

} // namespace tessera::driver
