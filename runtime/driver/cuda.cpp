// The CUDA driver: launches PTX through a libcuda, the vendor's or the virtual one (cuda_library.h), by the same code.
#include "runtime/driver/cuda_library.h"
#include "runtime/driver/driver.h"
#include "runtime/driver/tensor_maps.h"
#include <algorithm>
#include <charconv>
#include <mutex>

namespace tessera::driver {

namespace {

struct CudaKernel : KernelObject {
  CuModule module = nullptr;
  CuFunction function = nullptr, aligned = nullptr;
  std::vector<int64_t> alignedDivisors; // of dims; then come the arguments
  std::vector<size_t> tensors;          // slots that are pointers
  std::unique_ptr<TensorMaps> maps;     // of the aligned entry
  BlockShape block, alignedBlock;
  size_t parameters = 0;
  std::string name;
};
// A queue, an event and a graph are the vendor's own handles: static_cast through void, never dereferenced here.
CuStream streamOf(Queue queue) { return reinterpret_cast<CuStream>(queue); }
CuEvent eventOf(Event event) { return reinterpret_cast<CuEvent>(event); }
CuGraphExec graphOf(Graph graph) { return reinterpret_cast<CuGraphExec>(graph); }
CuPointer address(const void *memory) { return CuPointer(reinterpret_cast<uintptr_t>(memory)); }

constexpr int maxAxes = 3;
constexpr int64_t maxGrid[maxAxes] = {0x7fffffff, 65535, 65535}; // x, y, z: CUDA programming guide, all capabilities
constexpr size_t logBytes = 16384;

// Results after which the context answers nothing else: CUDA Driver API, "the context cannot be used".
bool isSticky(CuResult result) { return result == 700 || result == 702 || (result >= 710 && result <= 719); }

// What the device is to the compiler: the chip's row, or one made from its capability where there is none.
struct CudaTarget {
  CudaTarget(std::string_view chip, int capability)
      : arch("sm_" + std::to_string(capability) + (capability >= 90 ? "a" : "")),
        row{arch, Vendor::nvidia, arch, "", 16, 255, 8, 1 << 16, ""} {
    const Target *known = nullptr;
    for (const Target &target : targets())
      if (target.vendor == Vendor::nvidia && (target.name == chip || (!known && target.arch == arch)))
        known = &target;
    if (known)
      row = *known;
  }
  CudaTarget(const CudaTarget &) = delete; // the row points into arch
  CudaTarget &operator=(const CudaTarget &) = delete;
  std::string arch;
  Target row;
};

class Cuda final : public Driver {
public:
  Cuda(const CudaLibrary &library, CuDevice device, std::string_view name)
      : api(library.api), device(device), name(name),
        described(name.starts_with("virtual:") ? name.substr(8) : "", capability(library.api, device)) {}
  ~Cuda() override {
    if (context)
      api.devicePrimaryCtxRelease(device);
  }
  Status start() {
    TESSERA_TRY(check(api.deviceGetAttribute(&multiprocessors, cuMultiprocessors, device), "cuDeviceGetAttribute"));
    return check(api.devicePrimaryCtxRetain(&context, device), "cuDevicePrimaryCtxRetain");
  }

  const Target &target() const override { return described.row; }
  bool hostVisible() const override { return false; }
  bool isModelled() const override { return api.vgpuOpenChip != nullptr; }

  Result<void *> alloc(int64_t bytes) override;
  void free(void *memory) override {
    Use use(*this);
    api.memFree(address(memory)); // fails only after a failure that was reported already
  }
  Result<void *> allocHost(int64_t bytes) override;
  void freeHost(void *memory) override {
    Use use(*this);
    api.memFreeHost(memory);
  }
  Status copyIn(void *to, const void *from, int64_t bytes) override {
    Use use(*this);
    return bytes ? check(api.memcpyHtoD(address(to), from, size_t(bytes)), "cuMemcpyHtoD") : Status();
  }
  Status copyOut(void *to, const void *from, int64_t bytes) override {
    Use use(*this);
    return bytes ? check(api.memcpyDtoH(to, address(from), size_t(bytes)), "cuMemcpyDtoH") : Status();
  }
  Status copyInAsync(Queue queue, void *to, const void *from, int64_t bytes) override {
    Use use(*this);
    return bytes ? check(api.memcpyHtoDAsync(address(to), from, size_t(bytes), streamOf(queue)), "cuMemcpyHtoDAsync")
                 : Status();
  }
  Status copyOutAsync(Queue queue, void *to, const void *from, int64_t bytes) override {
    Use use(*this);
    return bytes ? check(api.memcpyDtoHAsync(to, address(from), size_t(bytes), streamOf(queue)), "cuMemcpyDtoHAsync")
                 : Status();
  }

  bool runsCubins() const override { return !api.vgpuChips; }
  Result<Kernel> load(const Artifact &artifact) override;
  void unload(Kernel kernel) override {
    Use use(*this);
    auto *mine = static_cast<CudaKernel *>(kernel);
    api.moduleUnload(mine->module);
    delete mine;
  }
  Status launch(Queue queue, Kernel kernel, const Launch &launch) override;

  Result<Queue> openQueue() override {
    Use use(*this);
    CuStream stream = nullptr;
    TESSERA_TRY(check(api.streamCreate(&stream, 0), "cuStreamCreate"));
    return reinterpret_cast<Queue>(stream);
  }
  void closeQueue(Queue queue) override {
    Use use(*this);
    if (queue)
      api.streamDestroy(streamOf(queue));
  }
  Status synchronize(Queue queue) override {
    Use use(*this);
    return check(api.streamSynchronize(streamOf(queue)), "cuStreamSynchronize");
  }
  Result<Event> record(Queue queue) override {
    Use use(*this);
    CuEvent event = nullptr;
    TESSERA_TRY(check(api.eventCreate(&event, 0), "cuEventCreate"));
    if (Status recorded = check(api.eventRecord(event, streamOf(queue)), "cuEventRecord"); !recorded) {
      api.eventDestroy(event);
      return recorded.error();
    }
    return reinterpret_cast<Event>(event);
  }
  void destroy(Event event) override {
    Use use(*this);
    api.eventDestroy(eventOf(event));
  }
  Result<double> elapsedMs(Event from, Event to) override {
    Use use(*this);
    float milliseconds = 0;
    TESSERA_TRY(check(api.eventSynchronize(eventOf(to)), "cuEventSynchronize"));
    TESSERA_TRY(check(api.eventElapsedTime(&milliseconds, eventOf(from), eventOf(to)), "cuEventElapsedTime"));
    return double(milliseconds);
  }

  Status beginCapture(Queue queue) override {
    if (!queue)
      return unsupported("the default queue cannot record a graph: open a queue of its own");
    Use use(*this);
    return check(api.streamBeginCapture(streamOf(queue), cuCaptureRelaxed), "cuStreamBeginCapture");
  }
  Result<Graph> endCapture(Queue queue) override;
  Status replay(Queue queue, Graph graph) override {
    Use use(*this);
    return check(api.graphLaunch(graphOf(graph), streamOf(queue)), "cuGraphLaunch", "a recorded graph failed");
  }
  void destroy(Graph graph) override {
    Use use(*this);
    api.graphExecDestroy(graphOf(graph));
  }

  std::string launchReport() override { return told(api.vgpuLastReport); }

private:
  // The device's context is current in this thread while one lives; the caller's own is put back after.
  struct Use {
    explicit Use(const Cuda &cuda) : api(cuda.api) { api.ctxPushCurrent(cuda.context); }
    ~Use() {
      CuContext popped = nullptr;
      api.ctxPopCurrent(&popped);
    }
    const CudaApi &api;
  };

  Status check(CuResult result, std::string_view call, std::string what = "", std::string_view log = "");
  Status loadModule(CuModule &module, const Artifact &artifact);
  Status checkParameters(const Artifact &artifact, CuFunction function) const;
  Status checkBlock(const Artifact &artifact, CuFunction function) const;
  std::string told(size_t (*tell)(int, char *, size_t)) const {
    std::string text(tell ? tell(device, nullptr, 0) : 0, '\0');
    if (!text.empty())
      text.resize(std::min(text.size(), tell(device, text.data(), text.size() + 1)));
    return text;
  }

  const CudaApi &api;
  CuDevice device;
  std::string name;
  CudaTarget described;
  CuContext context = nullptr;
  int multiprocessors = 1;
  std::mutex guard;    // of failure
  std::string failure; // the first result that the context does not recover from, as it was told
};

// The one place where a result becomes an Error: our sentence, then the driver's words and log.
Status Cuda::check(CuResult result, std::string_view call, std::string what, std::string_view log) {
  if (result == cuSuccess)
    return {};
  const char *code = nullptr, *text = nullptr;
  api.getErrorName(result, &code);
  api.getErrorString(result, &text);
  std::string message = name + ": " + (what.empty() ? "" : what + ": ") + std::string(call) + " answers " +
                        (code ? code : "error " + std::to_string(result)) +
                        (text ? " (" + std::string(text) + ")" : "");
  if (!log.empty())
    message += "\n" + std::string(log);
  if (!isSticky(result))
    return deviceError(message);
  std::lock_guard lock(guard);
  if (!failure.empty())
    return deviceError(name + " cannot be used any more after this failure, it must be opened anew: " + failure);
  if (std::string findings = told(api.vgpuLastFindings); !findings.empty())
    message += "\n" + findings.substr(0, findings.find_last_not_of('\n') + 1);
  failure = message;
  return deviceError(message);
}

Result<void *> Cuda::alloc(int64_t bytes) {
  Use use(*this);
  CuPointer memory = 0;
  CuResult result = api.memAlloc(&memory, size_t(std::max<int64_t>(bytes, 1)));
  if (result == cuOutOfMemory) {
    size_t free = 0, total = 0;
    api.memGetInfo(&free, &total);
    return deviceError(name + " has no " + std::to_string(bytes) + " bytes of memory left for a buffer: " +
                       std::to_string(free) + " of " + std::to_string(total) + " are free");
  }
  TESSERA_TRY(check(result, "cuMemAlloc"));
  return reinterpret_cast<void *>(uintptr_t(memory));
}

Result<void *> Cuda::allocHost(int64_t bytes) {
  Use use(*this);
  void *memory = nullptr;
  TESSERA_TRY(check(api.memHostAlloc(&memory, size_t(std::max<int64_t>(bytes, 1)), 0), "cuMemHostAlloc",
                    "no " + std::to_string(bytes) + " bytes of page-locked host memory"));
  return memory;
}

// Bytes of the parameter that slot `i` becomes.
size_t parameterBytes(const Signature &signature, size_t i) {
  if (i < signature.dims.size())
    return 8;
  const ArgInfo &arg = signature.args[i - signature.dims.size()];
  return arg.kind == ArgKind::scalar && arg.dtype != index ? size_t(info(arg.dtype).bits) / 8 : 8;
}

// The driver reads as many values as the code has parameters, so their number is checked where the driver tells it.
Status Cuda::checkParameters(const Artifact &artifact, CuFunction function) const {
  if (!api.funcGetParamInfo)
    return {};
  const Signature &signature = artifact.signature;
  size_t count = signature.dims.size() + signature.args.size(), has = 0, offset = 0, bytes = 0;
  for (; api.funcGetParamInfo(function, has, &offset, &bytes) == cuSuccess; ++has)
    if (has < count && bytes != parameterBytes(signature, has))
      return invalidArgument("kernel '" + signature.name + "': parameter " + std::to_string(has) + " of its code has " +
                             std::to_string(bytes) + " bytes, but " + std::to_string(parameterBytes(signature, has)) +
                             " are passed");
  if (has != count)
    return invalidArgument("kernel '" + signature.name + "': its code takes " + std::to_string(has) +
                           " parameters, but " + std::to_string(count) + " are passed");
  return {};
}

Status Cuda::checkBlock(const Artifact &artifact, CuFunction function) const {
  const BlockShape &block = artifact.block;
  std::string kernel = "kernel '" + artifact.signature.name + "'";
  int maxThreads = 1024, sharedLimit = 49152, sharedStatic = 0;
  api.funcGetAttribute(&maxThreads, cuMaxThreadsPerBlock, function);
  api.funcGetAttribute(&sharedStatic, cuStaticSharedBytes, function);
  api.deviceGetAttribute(&sharedLimit, cuSharedBytesPerBlockOptIn, device);
  int64_t threads = 1;
  for (int64_t along : block.threads)
    if (along < 1 || __builtin_mul_overflow(threads, along, &threads))
      threads = INT64_MAX;
  if (threads > maxThreads || block.threads[2] > 64)
    return invalidArgument(kernel + " cannot run in blocks of " + std::to_string(block.threads[0]) + " x " +
                           std::to_string(block.threads[1]) + " x " + std::to_string(block.threads[2]) +
                           " threads on " + name + ": at most " + std::to_string(maxThreads) + ", 64 of them along z");
  if (block.dynamicSharedBytes < 0 || block.dynamicSharedBytes > sharedLimit - sharedStatic)
    return invalidArgument(kernel + " wants " + std::to_string(block.dynamicSharedBytes) +
                           " bytes of dynamic shared memory beside " + std::to_string(sharedStatic) +
                           " static ones, but a block on " + name + " has at most " + std::to_string(sharedLimit));
  return {};
}

// The assembler's code where there is some that this device takes, else the driver compiles the PTX.
Status Cuda::loadModule(CuModule &module, const Artifact &artifact) {
  if (runsCubins() && !artifact.cubin.empty() &&
      api.moduleLoadDataEx(&module, artifact.cubin.data(), 0, nullptr, nullptr) == cuSuccess)
    return {};
  std::string log(logBytes, '\0');
  int names[] = {cuJitErrorLogBuffer, cuJitErrorLogBufferBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(logBytes)};
  CuResult loaded = api.moduleLoadDataEx(&module, artifact.bytes.c_str(), 2, names, values);
  log.resize(log.find('\0') == std::string::npos ? log.size() : log.find('\0'));
  log.resize(log.find_last_not_of('\n') + 1);
  return check(loaded, "cuModuleLoadDataEx", "kernel '" + artifact.signature.name + "' cannot be loaded", log);
}

Result<Kernel> Cuda::load(const Artifact &artifact) {
  const std::string &title = artifact.signature.name;
  for (const Target &row : targets())
    if (row.name == artifact.target && row.vendor != Vendor::nvidia)
      return invalidArgument("kernel '" + title + "' was compiled for " + artifact.target + ", but the device is " +
                             name);
  if (artifact.bytes.find('\0') != std::string::npos)
    return invalidArgument("kernel '" + title + "' is not PTX text: it holds a zero byte");
  Use use(*this);
  CudaKernel made;
  TESSERA_TRY(loadModule(made.module, artifact));
  auto finish = [&]() -> Status {
    CuResult found = api.moduleGetFunction(&made.function, made.module, artifact.entry.c_str());
    TESSERA_TRY(
        check(found, "cuModuleGetFunction", "the code of kernel '" + title + "' has no entry " + artifact.entry));
    TESSERA_TRY(checkParameters(artifact, made.function));
    TESSERA_TRY(checkBlock(artifact, made.function));
    if (!artifact.alignedEntry.empty()) {
      found = api.moduleGetFunction(&made.aligned, made.module, artifact.alignedEntry.c_str());
      TESSERA_TRY(check(found, "cuModuleGetFunction",
                        "the code of kernel '" + title + "' has no entry " + artifact.alignedEntry));
    }
    if (!artifact.block.dynamicSharedBytes)
      return {};
    for (CuFunction function : {made.function, made.aligned})
      if (function)
        TESSERA_TRY(
            check(api.funcSetAttribute(function, cuMaxDynamicSharedBytes, int(artifact.block.dynamicSharedBytes)),
                  "cuFuncSetAttribute"));
    return {};
  };
  if (Status finished = finish(); !finished) {
    api.moduleUnload(made.module);
    return finished.error();
  }
  made.block = made.alignedBlock = artifact.block;
  if (artifact.alignedThreads)
    made.alignedBlock.threads[0] = artifact.alignedThreads;
  made.maps = std::make_unique<TensorMaps>(artifact);
  made.alignedDivisors = artifact.alignedDivisors;
  for (size_t i = 0; i < artifact.signature.args.size(); ++i)
    if (artifact.signature.args[i].kind != ArgKind::scalar)
      made.tensors.push_back(artifact.signature.dims.size() + i);
  made.parameters = artifact.signature.dims.size() + artifact.signature.args.size();
  made.name = title;
  return new CudaKernel(std::move(made));
}

// Whether the launch keeps what the kernel's aligned variant assumes.
static bool isAligned(const CudaKernel &kernel, std::span<const int64_t> slots) {
  if (!kernel.aligned)
    return false;
  for (size_t dim = 0; dim < kernel.alignedDivisors.size(); ++dim)
    if (slots[dim] % kernel.alignedDivisors[dim])
      return false;
  return std::ranges::all_of(kernel.tensors, [&](size_t slot) { return slots[slot] % 16 == 0; });
}

Status Cuda::launch(Queue queue, Kernel kernel, const Launch &launch) {
  const auto &mine = *static_cast<const CudaKernel *>(kernel);
  if (launch.args.size() != mine.parameters)
    return internalError("kernel '" + mine.name + "' takes " + std::to_string(mine.parameters) + " slots, not " +
                         std::to_string(launch.args.size()));
  // The last axis is x; what comes before the last two shares z. Blocks that take all programs lie along x.
  int64_t along[maxAxes] = {1, 1, 1}, blocks = mine.block.persistent * multiprocessors;
  for (size_t axis = 0; axis < launch.grid.size(); ++axis) {
    int64_t &programs = along[blocks ? 0 : std::min<size_t>(launch.grid.size() - 1 - axis, maxAxes - 1)];
    if (__builtin_mul_overflow(programs, launch.grid[axis], &programs))
      programs = INT64_MAX;
  }
  if (blocks)
    along[0] = std::min(along[0], blocks);
  unsigned grid[maxAxes];
  for (size_t axis = 0; axis < maxAxes; ++axis) {
    if (along[axis] == 0)
      return {};
    if (along[axis] < 0 || along[axis] > maxGrid[axis])
      return invalidArgument("kernel '" + mine.name + "' cannot run " + std::to_string(along[axis]) +
                             " programs along " + "xyz"[axis] + ": a GPU's limit there is " +
                             std::to_string(maxGrid[axis]));
    grid[axis] = unsigned(along[axis]);
  }
  // Little-endian: a 4-byte scalar is the first half of its slot.
  constexpr size_t few = 32;
  void *fixed[few];
  size_t most = mine.parameters + mine.maps->count();
  std::vector<void *> many(most > few ? most : 0);
  void **parameters = many.empty() ? fixed : many.data();
  for (size_t i = 0; i < mine.parameters; ++i)
    parameters[i] = const_cast<int64_t *>(&launch.args[i]);
  Use use(*this);
  std::vector<TensorMaps::Map> maps;
  bool aligned = isAligned(mine, launch.args) && (mine.maps->count() == 0 || mine.maps->encode(api, launch.args, maps));
  for (size_t i = 0; i < maps.size(); ++i)
    parameters[mine.parameters + i] = &maps[i];
  const auto &threads = (aligned ? mine.alignedBlock : mine.block).threads;
  CuResult result = api.launchKernel(aligned ? mine.aligned : mine.function, grid[0], grid[1], grid[2],
                                     unsigned(threads[0]), unsigned(threads[1]), unsigned(threads[2]),
                                     unsigned(mine.block.dynamicSharedBytes), streamOf(queue), parameters, nullptr);
  return result == cuSuccess ? Status() : check(result, "cuLaunchKernel", "kernel '" + mine.name + "' failed");
}

Result<Graph> Cuda::endCapture(Queue queue) {
  Use use(*this);
  CuGraph recorded = nullptr;
  CuGraphExec made = nullptr;
  TESSERA_TRY(check(api.streamEndCapture(streamOf(queue), &recorded), "cuStreamEndCapture"));
  CuResult instantiated = api.graphInstantiate(&made, recorded, 0);
  api.graphDestroy(recorded); // the executable one is a copy
  TESSERA_TRY(check(instantiated, "cuGraphInstantiateWithFlags"));
  return reinterpret_cast<Graph>(made);
}

Result<std::unique_ptr<Driver>> openDevice(const CudaLibrary &library, CuDevice device, std::string_view name) {
  auto opened = std::make_unique<Cuda>(library, device, name);
  TESSERA_TRY(opened->start());
  return std::unique_ptr<Driver>(std::move(opened));
}

Result<std::unique_ptr<Driver>> openVirtual(std::string_view name) {
  const CudaLibrary &library = *TESSERA_TRY(virtualCuda());
  std::string chip(name.substr(8)), known;
  bool found = false;
  for (const VirtualChip &row : virtualChips(library)) {
    known += (known.empty() ? "" : ", ") + row.id;
    found |= row.id == chip;
  }
  if (!found)
    return invalidArgument("unknown virtual chip '" + chip + "': known are " + known);
  int ordinal = 0;
  if (library.api.vgpuOpenChip(chip.c_str(), &ordinal) != cuSuccess)
    return deviceError(std::string(name) + " cannot be started: it needs a processor with AVX2 and FMA, and addresses "
                                           "for its memory");
  return openDevice(library, ordinal, name);
}

} // namespace

Result<std::unique_ptr<Driver>> openCuda(std::string_view name) {
  if (name.starts_with("virtual:"))
    return openVirtual(name);
  std::string_view digits = name.size() > 5 ? name.substr(5) : "0"; // "cuda" is "cuda:0"
  int ordinal = 0, count = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  if (error != std::errc() || end != digits.data() + digits.size() || ordinal < 0)
    return invalidArgument("'" + std::string(name) + "' is not a device: want cuda:0, cuda:1, ...");
  Result<const CudaLibrary *> library = realCuda();
  if (!library)
    return deviceError(std::string(name) + ": " + library.error().message);
  (*library)->api.deviceGetCount(&count);
  if (ordinal >= count)
    return deviceError(std::string(name) + ": the CUDA driver has " + std::to_string(count) + " devices only");
  CuDevice device = 0;
  (*library)->api.deviceGet(&device, ordinal);
  return openDevice(**library, device, name);
}

} // namespace tessera::driver
