// What the virtual driver keeps: devices, contexts, modules, streams, graphs; and which handles are alive.
#pragma once
#include "base/result.h"
#include "runtime/vgpu/driver/abi.h"
#include "runtime/vgpu/exec/decoder.h"
#include "runtime/vgpu/exec/launch.h"
#include <deque>
#include <functional>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

namespace tessera::vgpu::driver {

struct Device {
  int ordinal = 0;
  const Chip *chip = nullptr;
  std::unique_ptr<Memory> memory;
  CUcontext primary = nullptr;
  int primaryUses = 0;
  uint64_t gridWorkspace = 0;
  bool claimed = false;         // by tesseraVgpuOpenChip, whose caller asks for the findings: they do not go to stderr
  bool reusable = false;        // was claimed at some time
  std::string findings, report; // of its last launch: text and JSON
};

struct ContextObject {
  Device *device = nullptr;
  bool isPrimary = false;
  CUresult sticky = SUCCESS; // a kernel failed: every later call answers this
  StreamObject *defaultStream = nullptr;
  std::unordered_set<ContextObject *> peers;
  std::unordered_set<uint64_t> allocations; // freed with the context
  uint64_t id = 0;
};

struct FunctionObject {
  ModuleObject *module = nullptr;
  std::unique_ptr<Program> program;
  uint32_t maxDynamicShared = 49152;
  bool nonPortableCluster = false;
};

struct ModuleObject {
  ContextObject *context = nullptr;
  ptx::Module ptx;
  SymbolTable symbols;
  std::map<std::string, uint64_t, std::less<>> sizes; // of global variables
  std::deque<FunctionObject> functions;
  std::vector<uint64_t> allocations;
};

// Something a stream does; graphs keep these for replay.
struct NodeObject {
  enum class Type { kernel = 0, memcpy = 1, memset = 2, host = 3, child = 4, empty = 5, wait = 6, record = 7 };
  Type type = Type::empty;
  std::function<CUresult(StreamObject &)> run;
  std::vector<NodeObject *> dependencies;
  GraphObject *graph = nullptr;
  // Of a kernel, so that its parameters can be read and replaced.
  KernelNodeParams kernel{};
  std::vector<uint8_t> arguments;
};

struct GraphObject {
  std::deque<NodeObject> nodes; // in an order that respects the dependencies unless edges were added later
};

struct ExecObject {
  ContextObject *context = nullptr;
  std::vector<std::pair<const NodeObject *, std::function<CUresult(StreamObject &)>>> steps;
};

struct StreamObject {
  ContextObject *context = nullptr;
  unsigned flags = 0;
  int priority = 0;
  double clockUs = 0; // modelled time
  GraphObject *capture = nullptr;
  bool captureOrigin = false;
  NodeObject *captureLast = nullptr;
  uint64_t id = 0;
};

struct EventObject {
  ContextObject *context = nullptr;
  unsigned flags = 0;
  bool recorded = false;
  double timeUs = 0;
  GraphObject *capture = nullptr; // recorded while capturing
  NodeObject *captureNode = nullptr;
};

struct State {
  std::recursive_mutex lock;
  bool initialised = false;
  std::deque<Device> devices;
  Options options;
  bool quiet = false;
  std::unordered_map<const void *, int> handles; // address to kind
  std::unordered_map<uint64_t, uint64_t> hostAllocations;
  std::string findings, report;
  uint64_t nextId = 1;
};

enum Kind { contextKind = 1, moduleKind, functionKind, streamKind, eventKind, graphKind, nodeKind, execKind };

State &state();
CUcontext &current(); // of this thread
std::vector<CUcontext> &contextStack();
bool alive(const void *handle, Kind kind);
void born(const void *handle, Kind kind);
void died(const void *handle);

// Reads the options from the environment once. The devices are the caller's affair. SUCCESS, or what keeps it from
// running.
CUresult initialise();
Device &addDevice(const Chip &chip);
// Initialised, a live current context, no sticky error.
CUresult ready();
// The stream behind a handle (null, 1 and 2 are the default stream), or null.
StreamObject *streamOf(CUstream handle);
// Runs a step now, or records it when the stream is being captured.
CUresult submit(CUstream stream, NodeObject::Type type, std::function<CUresult(StreamObject &)> run,
                NodeObject **made = nullptr);
void destroyContext(CUcontext context);
Memory *memoryHolding(uint64_t address); // of any device
CUresult checkRange(CUdeviceptr address, size_t bytes, bool hostAllowed = true);

CUresult loadModule(CUcontext context, std::string_view text, ModuleObject *&module, std::string &log);
CUresult launch(FunctionObject &function, const KernelNodeParams &shape, const uint32_t *cluster, bool cooperative,
                const std::vector<uint8_t> &arguments, StreamObject &stream);
// One JSON object: kernel, findings, counters, lines (the costly first), modelled_us.
std::string reportJson(const Launch &launch, const Report &report);
// The bytes of a kernel's parameters out of kernelParams or extra.
CUresult packArguments(const FunctionObject &function, void **kernelParams, void **extra, std::vector<uint8_t> &into);
CUresult validateLaunch(const FunctionObject &function, const KernelNodeParams &shape, const uint32_t *cluster,
                        bool cooperative);

} // namespace tessera::vgpu::driver
