// What the virtual driver keeps: devices, contexts, modules, streams; which handles are alive; the lock around it all.
#pragma once
#include "base/result.h"
#include "runtime/vgpu/driver/abi.h"
#include "runtime/vgpu/exec/decoder.h"
#include "runtime/vgpu/exec/launch.h"
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>
#include <unordered_set>

namespace tessera::vgpu::driver {

enum Kind {
  contextKind = 1,
  moduleKind,
  functionKind,
  streamKind,
  eventKind,
  graphKind,
  nodeKind,
  execKind,
  libraryKind,
  kernelKind,
  poolKind,
  userKind,
  linkKind,
  kinds,
};

// The memory of a handle is not used again for a while after its death, so that a stale one is told from a new one.
struct Handle {
  static void operator delete(void *memory);
};

struct Device {
  int ordinal = 0;
  const Chip *chip = nullptr;
  std::unique_ptr<Memory> memory;
  CUcontext primary = nullptr;
  int primaryUses = 0;
  unsigned primaryFlags = 0;
  uint64_t gridWorkspace = 0;
  CUmemoryPool defaultPool = nullptr, pool = nullptr;
  bool claimed = false;         // by tesseraVgpuOpenChip, whose caller asks for the findings: they do not go to stderr
  bool reusable = false;        // was claimed at some time
  std::string findings, report; // of its last launch: text and JSON
};

struct ContextObject : Handle {
  Device *device = nullptr;
  bool isPrimary = false;
  unsigned flags = 0;
  CUresult sticky = SUCCESS; // a kernel failed: every later call answers this
  StreamObject *defaultStream = nullptr;
  std::map<std::thread::id, StreamObject *> threadStreams; // the default streams of threads that asked for their own
  std::unordered_set<ContextObject *> peers;
  std::unordered_set<uint64_t> allocations; // freed with the context
  std::map<int, size_t> limits;
  uint64_t id = 0;
};

struct FunctionObject : Handle {
  ModuleObject *module = nullptr;
  std::unique_ptr<Program> program;
  uint32_t maxDynamicShared = 49152;
  int carveout = -1;
  bool nonPortableCluster = false;
};

struct ModuleObject : Handle {
  ContextObject *context = nullptr;
  ptx::Module ptx;
  SymbolTable symbols;
  std::map<std::string, uint64_t, std::less<>> sizes; // of global variables
  std::vector<std::unique_ptr<FunctionObject>> functions;
  std::vector<uint64_t> allocations;
};

// A module for every context that uses it, loaded where it is first used.
struct KernelObject : Handle {
  LibraryObject *library = nullptr;
  std::string name;
  std::map<std::pair<int, int>, int> attributes; // set for a device before its module is there: (device, id)
};
struct LibraryObject : Handle {
  std::string text; // PTX
  std::map<ContextObject *, ModuleObject *> modules;
  std::vector<std::unique_ptr<KernelObject>> kernels;
};

struct PoolObject : Handle {
  Device *device = nullptr;
  bool isDefault = false;
  uint64_t threshold = 0, reuse[4] = {0, 1, 1, 1}; // reuse policies by attribute number
  uint64_t used = 0, usedHigh = 0;
  size_t most = 0; // 0: the device's memory
};

struct Capture;

struct StreamObject : Handle {
  ContextObject *context = nullptr;
  unsigned flags = 0; // 1: does not wait for the legacy default stream
  int priority = 0;
  double clockUs = 0; // modelled time
  bool legacy = false;
  std::shared_ptr<Capture> capture; // while it is captured
  std::vector<CUgraphNode> captureLast;
  uint64_t id = 0;
};

struct EventObject : Handle {
  ContextObject *context = nullptr;
  unsigned flags = 0;
  bool recorded = false;
  double timeUs = 0;
  std::shared_ptr<Capture> capture; // recorded while capturing
  std::vector<CUgraphNode> captureNodes;
};

// Memory that is at its own address for the host too, and for every device.
struct HostRange {
  uint64_t bytes = 0;
  unsigned flags = 0;
  enum class Origin { allocated, registered, managed } origin = Origin::allocated;
};

struct State {
  std::recursive_mutex lock;
  bool initialised = false;
  std::deque<Device> devices;
  Options options;
  bool quiet = false;
  std::unordered_set<const void *> handles[kinds]; // those alive, by kind
  std::map<uint64_t, HostRange> hostRanges;        // by start
  std::map<uint64_t, CUmemoryPool> pooled;         // allocations of pools by address
  std::string findings, report;
  uint64_t nextId = 1;
};

State &state();

// Holds the driver's lock: every entry point does, for as long as it runs.
class Guard {
public:
  Guard();
  ~Guard();
  Guard(const Guard &) = delete;
  Guard &operator=(const Guard &) = delete;
};
// Gives the lock up while a program's own function runs, which may wait for another thread that calls the driver.
class Unlocked {
public:
  Unlocked();
  ~Unlocked();
  Unlocked(const Unlocked &) = delete;
  Unlocked &operator=(const Unlocked &) = delete;

private:
  int depth;
};

CUcontext &current(); // of this thread
std::vector<CUcontext> &contextStack();
bool alive(const void *handle, Kind kind);
void born(const void *handle, Kind kind);
void died(const void *handle);
// In no order.
template <class T> std::vector<T *> allOf(Kind kind) {
  std::vector<T *> found;
  for (const void *handle : state().handles[kind])
    found.push_back(static_cast<T *>(const_cast<void *>(handle)));
  return found;
}

// Reads the options from the environment once. The devices are the caller's affair. SUCCESS, or what keeps it from
// running.
CUcontext makeContext(Device &device, bool primary);
CUresult initialise();
Device &addDevice(const Chip &chip);
Device *deviceAt(CUdevice ordinal); // null where there is none
CUresult started();                 // initialised
// Initialised, a live current context, no sticky error.
CUresult ready();
// The stream behind a handle (null and 1: the legacy default stream, 2: the thread's), or null.
StreamObject *streamOf(CUstream handle);
void destroyContext(CUcontext context);
void resetPeers();                       // which device reaches which other's memory
Memory *memoryHolding(uint64_t address); // of any device
// Whether `bytes` from `address` on lie in one live allocation.
CUresult checkRange(CUdeviceptr address, size_t bytes);
void adoptEverywhere(uint64_t address, uint64_t bytes, HostRange::Origin origin, unsigned flags);
void dropEverywhere(uint64_t address);

// `size` as readImage takes it.
CUresult loadImage(CUcontext context, const void *image, size_t size, ModuleObject *&module, std::string &log);
CUresult loadModule(CUcontext context, std::string_view text, ModuleObject *&module, std::string &log);
// The kernels that a PTX text has; it is parsed and not decoded.
CUresult entriesOf(std::string_view text, std::vector<std::string> &names, std::string &log);
void unloadModule(ModuleObject *module);
void unloadLibrary(LibraryObject *library);
FunctionObject *functionNamed(ModuleObject &module, std::string_view name);
// The function behind a handle of a function or, in the current context, of a kernel; null where it is neither.
CUresult functionOf(const void *handle, FunctionObject *&function);
CUresult functionOfKernel(KernelObject &kernel, FunctionObject *&function); // loads its module where it is not there
CUresult functionAttribute(const FunctionObject &function, int attribute, int &value);
CUresult setFunctionAttribute(FunctionObject &function, int attribute, int value);

// The log buffers of CUjit_option.
struct JitLogs {
  CUresult read(unsigned count, const int *options, void **values);
  void write(const std::string &error);
  bool wanted() const { return buffer[1] != nullptr; }

private:
  char *buffer[2] = {}; // information, errors
  size_t size[2] = {};
  void **sizeSlot[2] = {};
};

CUresult launch(FunctionObject &function, const KernelNodeParams &shape, const uint32_t *cluster, bool cooperative,
                const std::vector<uint8_t> &arguments, StreamObject &stream);
// One JSON object: kernel, findings, counters, lines (the costly first), modelled_us.
std::string reportJson(const Launch &launch, const Report &report);
// The bytes of a kernel's parameters out of kernelParams or extra.
CUresult packArguments(const FunctionObject &function, void **kernelParams, void **extra, std::vector<uint8_t> &into);
CUresult validateLaunch(const FunctionObject &function, const KernelNodeParams &shape, const uint32_t *cluster,
                        bool cooperative);
uint32_t mostClusterBlocks(const FunctionObject &function);

} // namespace tessera::vgpu::driver
