#include "runtime/vgpu/driver/state.h"
#include "runtime/vgpu/driver/work.h"
#include <algorithm>
#include <cstdlib>
#include <new>

namespace tessera::vgpu::driver {
namespace {
int &lockDepth() {
  thread_local int depth = 0;
  return depth;
}
constexpr size_t kept = 8192; // handles whose memory waits before it is used again
} // namespace

State &state() {
  static auto *made = new State; // never destroyed: programs call the driver from their own destructors
  return *made;
}

Guard::Guard() {
  state().lock.lock();
  ++lockDepth();
}
Guard::~Guard() {
  --lockDepth();
  state().lock.unlock();
}
Unlocked::Unlocked() : depth(lockDepth()) {
  for (int i = 0; i < depth; ++i)
    state().lock.unlock();
  lockDepth() = 0;
}
Unlocked::~Unlocked() {
  for (int i = 0; i < depth; ++i)
    state().lock.lock();
  lockDepth() = depth;
}

void Handle::operator delete(void *memory) {
  static auto *waiting = new std::deque<void *>; // under the driver's lock
  waiting->push_back(memory);
  if (waiting->size() > kept) {
    ::operator delete(waiting->front());
    waiting->pop_front();
  }
}

CUcontext &current() {
  thread_local CUcontext context = nullptr;
  return context;
}

std::vector<CUcontext> &contextStack() {
  // Never destroyed: a thread's objects go before the program's static ones, which may still hold kernels and buffers.
  thread_local auto *stack = new std::vector<CUcontext>;
  return *stack;
}

bool alive(const void *handle, Kind kind) { return handle && state().handles[kind].count(handle); }
void born(const void *handle, Kind kind) { state().handles[kind].insert(handle); }
void died(const void *handle) {
  for (auto &alive : state().handles)
    alive.erase(handle);
}

CUresult initialise() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return NO_DEVICE;
#endif
  State &s = state();
  s.options = optionsFromEnvironment();
  s.quiet = std::getenv("TESSERA_VGPU_QUIET") != nullptr;
  s.initialised = true;
  return SUCCESS;
}

Device &addDevice(const Chip &chip) {
  State &s = state();
  Device &d = s.devices.emplace_back();
  d.ordinal = int(s.devices.size()) - 1;
  d.chip = &chip;
  d.memory = std::make_unique<Memory>(chip.memoryMiB << 20, uint32_t(d.ordinal));
  d.memory->trackWrites = s.options.checkGlobalInit;
  for (const auto &[address, range] : s.hostRanges)
    d.memory->adoptHost(address, range.bytes);
  d.pool = d.defaultPool = new PoolObject;
  d.pool->device = &d;
  d.pool->isDefault = true;
  born(d.pool, poolKind);
  return d;
}

Device *deviceAt(CUdevice ordinal) {
  State &s = state();
  return s.initialised && ordinal >= 0 && size_t(ordinal) < s.devices.size() ? &s.devices[size_t(ordinal)] : nullptr;
}

CUresult started() { return state().initialised ? SUCCESS : NOT_INITIALIZED; }

CUresult ready() {
  if (!state().initialised)
    return NOT_INITIALIZED;
  if (!alive(current(), contextKind))
    return current() ? CONTEXT_IS_DESTROYED : INVALID_CONTEXT;
  return current()->sticky;
}

StreamObject *streamOf(CUstream handle) {
  auto value = reinterpret_cast<uintptr_t>(handle);
  if (value > 2)
    return alive(handle, streamKind) ? handle : nullptr;
  ContextObject &context = *current();
  if (value < 2)
    return context.defaultStream;
  StreamObject *&own = context.threadStreams[std::this_thread::get_id()];
  if (!own) {
    own = new StreamObject;
    own->context = &context;
    own->id = state().nextId++;
    born(own, streamKind);
  }
  return own;
}

Memory *memoryHolding(uint64_t address) {
  for (Device &d : state().devices) {
    const Allocation *a = d.memory->find(address);
    if (a && !a->freed)
      return d.memory.get();
  }
  return nullptr;
}

CUresult checkRange(CUdeviceptr address, size_t bytes) {
  if (bytes == 0)
    return SUCCESS;
  Memory *memory = memoryHolding(address);
  if (!memory)
    return INVALID_VALUE;
  const Allocation *a = memory->find(address);
  return bytes > a->size - (address - a->start) ? INVALID_VALUE : SUCCESS;
}

void adoptEverywhere(uint64_t address, uint64_t bytes, HostRange::Origin origin, unsigned flags) {
  state().hostRanges[address] = {bytes, flags, origin};
  for (Device &d : state().devices)
    d.memory->adoptHost(address, bytes);
}

void dropEverywhere(uint64_t address) {
  state().hostRanges.erase(address);
  for (Device &d : state().devices)
    d.memory->release(address);
}

void resetPeers() {
  for (Device &d : state().devices)
    d.memory->peers.clear();
  for (ContextObject *c : allOf<ContextObject>(contextKind))
    for (ContextObject *peer : c->peers)
      if (alive(peer, contextKind))
        c->device->memory->peers.push_back(peer->device->memory.get());
}

void destroyContext(CUcontext context) {
  for (StreamObject *s : allOf<StreamObject>(streamKind))
    if (s->context == context) {
      abandonCapture(*s);
      died(s);
      delete s;
    }
  for (EventObject *e : allOf<EventObject>(eventKind))
    if (e->context == context) {
      died(e);
      delete e;
    }
  for (LibraryObject *l : allOf<LibraryObject>(libraryKind))
    l->modules.erase(context);
  for (ModuleObject *m : allOf<ModuleObject>(moduleKind))
    if (m->context == context)
      unloadModule(m);
  Memory &memory = *context->device->memory;
  for (uint64_t address : context->allocations) {
    if (state().hostRanges.count(address))
      dropEverywhere(address); // managed
    if (auto found = state().pooled.find(address); found != state().pooled.end())
      state().pooled.erase(found);
    memory.release(address);
  }
  died(context);
  delete context->defaultStream;
  delete context;
  resetPeers();
}

} // namespace tessera::vgpu::driver
