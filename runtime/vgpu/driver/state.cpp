#include "runtime/vgpu/driver/state.h"

namespace tessera::vgpu::driver {

State &state() {
  static auto *made = new State; // never destroyed: programs call the driver from their own destructors
  return *made;
}

CUcontext &current() {
  thread_local CUcontext context = nullptr;
  return context;
}

std::vector<CUcontext> &contextStack() {
  thread_local std::vector<CUcontext> stack;
  return stack;
}

bool alive(const void *handle, Kind kind) {
  auto found = state().handles.find(handle);
  return handle && found != state().handles.end() && found->second == kind;
}
void born(const void *handle, Kind kind) { state().handles[handle] = kind; }
void died(const void *handle) { state().handles.erase(handle); }

CUresult ready() {
  if (!state().initialised)
    return NOT_INITIALIZED;
  if (!alive(current(), contextKind))
    return INVALID_CONTEXT;
  return current()->sticky;
}

StreamObject *streamOf(CUstream handle) {
  auto value = reinterpret_cast<uintptr_t>(handle);
  if (value <= 2)
    return current()->defaultStream;
  return alive(handle, streamKind) ? handle : nullptr;
}

CUresult submit(CUstream handle, NodeObject::Type type, std::function<CUresult(StreamObject &)> run,
                NodeObject **made) {
  StreamObject *stream = streamOf(handle);
  if (!stream)
    return INVALID_HANDLE;
  if (!stream->capture)
    return run(*stream);
  NodeObject &node = stream->capture->nodes.emplace_back();
  node.type = type;
  node.run = std::move(run);
  node.graph = stream->capture;
  if (stream->captureLast)
    node.dependencies.push_back(stream->captureLast);
  stream->captureLast = &node;
  born(&node, nodeKind);
  if (made)
    *made = &node;
  return SUCCESS;
}

Memory *memoryHolding(uint64_t address) {
  for (Device &d : state().devices) {
    const Allocation *a = d.memory->find(address);
    if (a && !a->freed)
      return d.memory.get();
  }
  return nullptr;
}

CUresult checkRange(CUdeviceptr address, size_t bytes, bool hostAllowed) {
  if (bytes == 0)
    return SUCCESS;
  if (Memory *memory = memoryHolding(address)) {
    Allocation *a = memory->find(address);
    if (bytes > a->size - (address - a->start))
      return INVALID_VALUE;
    return SUCCESS;
  }
  (void)hostAllowed;
  return INVALID_VALUE;
}

void destroyContext(CUcontext context) {
  State &s = state();
  std::vector<const void *> gone;
  for (auto &[handle, kind] : s.handles) {
    if (kind == moduleKind && static_cast<const ModuleObject *>(handle)->context == context)
      gone.push_back(handle);
    if (kind == streamKind && static_cast<const StreamObject *>(handle)->context == context)
      gone.push_back(handle);
    if (kind == eventKind && static_cast<const EventObject *>(handle)->context == context)
      gone.push_back(handle);
  }
  for (const void *handle : gone) {
    int kind = s.handles[handle];
    died(handle);
    if (kind == moduleKind) {
      auto *module = static_cast<ModuleObject *>(const_cast<void *>(handle));
      for (FunctionObject &f : module->functions)
        died(&f);
      for (uint64_t a : module->allocations)
        context->device->memory->release(a);
      delete module;
    } else if (kind == streamKind) {
      delete static_cast<const StreamObject *>(handle);
    } else {
      delete static_cast<const EventObject *>(handle);
    }
  }
  for (uint64_t address : context->allocations)
    context->device->memory->release(address);
  died(context);
  delete context->defaultStream;
  delete context;
}

} // namespace tessera::vgpu::driver
