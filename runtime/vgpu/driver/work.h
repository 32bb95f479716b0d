// Work: what a stream does and a graph repeats, as values; graphs, their nodes and captures.
#pragma once
#include "runtime/vgpu/driver/state.h"
#include <variant>

namespace tessera::vgpu::driver {

struct KernelWork {
  KernelNodeParams shape{};
  uint32_t cluster[3] = {1, 1, 1};
  bool cooperative = false;
  int priority = 0;
  std::vector<uint8_t> arguments;
};
struct CopyWork {
  Memcpy3D box{};
};
struct HostWork {
  HostNodeParams call{};
};
struct ChildWork {
  std::shared_ptr<GraphObject> graph; // a copy of its own
};
struct WaitWork {
  CUevent event = nullptr;
};
struct RecordWork {
  CUevent event = nullptr;
};
// The memory is there as long as the node or an executable graph with it.
struct AllocWork {
  AllocNodeParams params{};
  std::vector<MemAccess> access;
  std::shared_ptr<uint64_t> memory;
};
struct FreeWork {
  CUdeviceptr address = 0;
};
struct MemOpWork {
  CUcontext context = nullptr;
  std::vector<MemOp> ops;
};
struct EmptyWork {};

// In the order of CUgraphNodeType, as far as that is supported.
using Work = std::variant<KernelWork, CopyWork, MemsetNodeParams, HostWork, ChildWork, EmptyWork, WaitWork, RecordWork,
                          AllocWork, FreeWork, MemOpWork>;
int nodeTypeOf(const Work &work); // CUgraphNodeType

struct NodeObject : Handle {
  Work work = EmptyWork{};
  std::vector<NodeObject *> dependencies;
  GraphObject *graph = nullptr;
  uint64_t id = 0, clonedFrom = 0;
  std::vector<void *> argumentSlots; // what a kernel node's parameters are asked for
};

struct UserObject : Handle {
  void *data = nullptr;
  CUhostFn destroy = nullptr;
  uint64_t references = 0;
};
struct GraphObject : Handle {
  std::vector<std::unique_ptr<NodeObject>> nodes;
  std::map<UserObject *, unsigned> kept;
  bool embedded = false; // in a child node, which owns it
  uint64_t id = 0, clonedFrom = 0;
};

struct ExecObject : Handle {
  struct Step {
    uint64_t id = 0; // of the node
    Work work;
    std::vector<size_t> after; // indices of the steps that it waits for
    bool enabled = true;
    size_t inside = SIZE_MAX; // index of the child step that it belongs to
  };
  ContextObject *context = nullptr;
  std::vector<Step> steps; // a child graph's step comes before those of its nodes
  uint64_t flags = 0;
  std::map<UserObject *, unsigned> kept;
};

// Several streams that are recorded into one graph.
struct Capture {
  GraphObject *graph = nullptr;
  StreamObject *origin = nullptr;
  bool ownsGraph = true; // not where it records into a graph of the program
  bool spoiled = false;
  int mode = 0; // 0 global, 1 this thread, 2 relaxed
  std::thread::id thread;
  uint64_t id = 0;
  std::set<CUgraphNode> made; // the nodes it added
};

// Checks what can be checked before work runs: handles, ranges, shapes.
CUresult validate(const Work &work);
// Runs it now. The stream's clock moves on.
CUresult perform(const Work &work, StreamObject &stream);
// Before a stream runs something: it waits for the streams that it must wait for. The legacy default stream cannot wait
// for one that is captured.
CUresult enter(StreamObject &stream);
// Runs the work, or records it when the stream is being captured.
CUresult submit(CUstream stream, Work work, CUgraphNode *made = nullptr);

// Work out of parameters.
CUresult kernelWork(const KernelNodeParams &params, KernelWork &work);
// Gives an allocation node its memory and its address.
CUresult reserveGraphMemory(AllocWork &work);
CopyWork plainCopy(uint64_t to, uint64_t from, size_t bytes, int toType, int fromType);

// Whether a capture somewhere forbids this thread a call that may synchronise (CUstreamCaptureMode).
CUresult forbiddenByCapture();
int &captureMode(); // of this thread
void spoil(StreamObject &stream);
void abandonCapture(StreamObject &stream);

NodeObject *addNode(GraphObject &graph, Work work, const CUgraphNode *dependencies, size_t count);
std::vector<NodeObject *> ordered(const GraphObject &graph); // shorter than the graph where it has a cycle
GraphObject *newGraph();
void destroyGraph(GraphObject *graph);
GraphObject *cloneGraph(const GraphObject &graph);
void keep(UserObject &object, unsigned count);
void release(UserObject &object, unsigned count);

} // namespace tessera::vgpu::driver
