#include "runtime/engine.h"
#include "compiler/assembler.h"
#include "compiler/compile.h"
#include "runtime/disk_cache.h"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

namespace tessera {

namespace {
// One kernel of the memory cache. `busy` is held while it is being made, so that a second thread waits for the first.
struct Slot {
  std::string key;
  std::mutex busy;
  std::optional<LoadedKernel> kernel;
};
} // namespace

struct Engine::State {
  State(Device device, EngineOptions options)
      : device(std::move(device)), options(std::move(options)), disk(DiskCache::directory(this->options.cacheDir)) {
    driver::Driver &chip = this->device.impl();
    if (chip.runsCubins() || (chip.target().vendor == Vendor::nvidia && !this->options.ptxas.empty()))
      assembler = findAssembler(this->options.ptxas);
  }

  // The kernel where memory has it: a lock, a look and a copy of the handle.
  std::optional<LoadedKernel> ready(const Hash128 &identity) {
    std::lock_guard lock(guard);
    auto found = loaded.find(identity);
    if (found == loaded.end())
      return std::nullopt;
    ++stats.fromMemory;
    return found->second;
  }
  std::shared_ptr<Slot> slot(const std::string &key) {
    std::lock_guard lock(guard);
    std::shared_ptr<Slot> &entry = slots[key];
    if (!entry)
      entry = std::make_shared<Slot>();
    entry->key = key;
    return entry;
  }
  // The kernel where memory or disk has it. The slot is held.
  std::optional<LoadedKernel> find(Slot &slot);
  Result<LoadedKernel> make(Slot &slot, const Program &program);
  std::string keyOf(const Program &program) const {
    return cacheKey(program, device.target(), {}, assembler && *assembler ? (*assembler)->version : "");
  }
  Status addCubin(Artifact &artifact);
  void progress(std::string_view name, int finished);
  void expect(int kernels);

  Device device;
  EngineOptions options;
  DiskCache disk;
  Result<std::optional<Assembler>> assembler = std::optional<Assembler>();
  std::atomic<bool> hasWarned = false; // of an assembler that fails
  std::mutex guard;                    // of loaded, slots, stats and the progress below
  // By the program's identity alone: an engine has one target.
  std::unordered_map<Hash128, LoadedKernel, decltype([](const Hash128 &hash) { return size_t(hash.low); })> loaded;
  std::unordered_map<std::string, std::shared_ptr<Slot>> slots;
  EngineStats stats;
  int done = 0, total = 0;
  int compiling = 0; // callers inside a compile phase, whose wall time is counted once
  std::chrono::steady_clock::time_point started;
};

std::optional<LoadedKernel> Engine::State::find(Slot &slot) {
  if (slot.kernel) {
    std::lock_guard lock(guard);
    ++stats.fromMemory;
    return slot.kernel;
  }
  std::optional<Artifact> artifact = disk.load(slot.key);
  if (!artifact)
    return std::nullopt;
  // An entry that checks out but does not link is as good as absent: it is compiled again and replaced.
  Result<LoadedKernel> loaded = LoadedKernel::load(device.handle, *artifact);
  if (!loaded)
    return std::nullopt;
  slot.kernel = *loaded;
  std::lock_guard lock(guard);
  ++stats.fromDisk;
  return slot.kernel;
}

Status Engine::State::addCubin(Artifact &artifact) {
  if (!TESSERA_TRY(assembler))
    return {};
  Status assembled = assemble(**assembler, device.target(), artifact);
  if (assembled || (*assembler)->named)
    return assembled;
  if (!hasWarned.exchange(true))
    std::fprintf(stderr, "tessera: %s; the driver compiles instead\n", assembled.error().message.c_str());
  return {};
}

Result<LoadedKernel> Engine::State::make(Slot &slot, const Program &program) {
  Artifact artifact =
      TESSERA_TRY(options.compile ? options.compile(program, device.target()) : compile(program, device.target()));
  TESSERA_TRY(addCubin(artifact));
  disk.store(slot.key, artifact);
  slot.kernel = TESSERA_TRY(LoadedKernel::load(device.handle, artifact));
  std::lock_guard lock(guard);
  ++stats.compiled;
  return *slot.kernel;
}

void Engine::State::progress(std::string_view name, int finished) {
  std::lock_guard lock(guard);
  done += finished;
  if (options.onProgress)
    options.onProgress({name, done, total});
}

// Opens (kernels > 0) or closes (0) a compile phase.
void Engine::State::expect(int kernels) {
  std::lock_guard lock(guard);
  auto now = std::chrono::steady_clock::now();
  if (kernels > 0) {
    if (compiling++ == 0) {
      started = now;
      done = total = 0;
    }
    total += kernels;
  } else if (--compiling == 0) {
    stats.compileMs += std::chrono::duration<double, std::milli>(now - started).count();
  }
}

// Calls body(i) for i in [0, count) on up to `threads` threads, the caller among them.
template <class F> static void inParallel(size_t count, int threads, const F &body) {
  std::atomic<size_t> next{0};
  auto work = [&] {
    for (size_t i; (i = next++) < count;)
      body(i);
  };
  std::vector<std::thread> helpers;
  for (int t = 1; t < threads && size_t(t) < count; ++t)
    helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers)
    helper.join();
}

Engine::Engine(Device device, EngineOptions options)
    : state(std::make_shared<State>(std::move(device), std::move(options))) {}

const Device &Engine::device() const { return state->device; }

EngineStats Engine::stats() const {
  std::lock_guard lock(state->guard);
  EngineStats stats = state->stats;
  stats.corruptEntries = state->disk.counts().corrupt;
  return stats;
}

std::string Engine::choose(std::string_view op, std::span<const Shape> shapes) const {
  return state->options.chooser ? state->options.chooser(op, shapes, target()) : "";
}

Result<LoadedKernel> Engine::load(const Program &program) const {
  Hash128 identity = program.identity();
  if (std::optional<LoadedKernel> kernel = state->ready(identity))
    return *std::move(kernel);
  LoadedKernel kernel = TESSERA_TRY(loadAll(std::span(&program, 1))).front();
  std::lock_guard lock(state->guard);
  return state->loaded.try_emplace(identity, std::move(kernel)).first->second;
}

Result<std::vector<LoadedKernel>> Engine::loadAll(std::span<const Program> programs) const {
  std::vector<std::shared_ptr<Slot>> slots;
  for (const Program &program : programs)
    slots.push_back(state->slot(state->keyOf(program)));
  std::vector<std::optional<Result<LoadedKernel>>> loaded(programs.size());
  std::vector<size_t> missing;
  for (size_t i = 0; i < programs.size(); ++i) {
    std::lock_guard lock(slots[i]->busy);
    if (std::optional<LoadedKernel> kernel = state->find(*slots[i]))
      loaded[i] = std::move(*kernel);
    else if (std::find(slots.begin(), slots.begin() + ptrdiff_t(i), slots[i]) == slots.begin() + ptrdiff_t(i))
      missing.push_back(i);
  }
  if (!missing.empty()) {
    state->expect(int(missing.size()));
    inParallel(missing.size(), state->options.compileThreads, [&](size_t m) {
      size_t i = missing[m];
      std::lock_guard lock(slots[i]->busy);
      std::string_view name = programs[i].signature.name;
      state->progress(name, 0);
      loaded[i] = slots[i]->kernel ? Result<LoadedKernel>(*slots[i]->kernel) : state->make(*slots[i], programs[i]);
      state->progress(name, 1);
    });
    state->expect(0);
  }
  std::vector<LoadedKernel> kernels;
  for (size_t i = 0; i < programs.size(); ++i) {
    if (!loaded[i]) // the same kernel as an earlier one of the list
      loaded[i] = loaded[size_t(std::find(slots.begin(), slots.end(), slots[i]) - slots.begin())];
    if (!*loaded[i])
      return std::move(loaded[i]->error());
    kernels.push_back(**loaded[i]); // a copy: a later duplicate still reads it
  }
  return kernels;
}

} // namespace tessera
