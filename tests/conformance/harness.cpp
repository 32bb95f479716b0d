#include "tests/conformance/harness.h"
#include "ops/reference/formats.h"
#include "runtime/device.h"
#include "runtime/driver/cuda_library.h"
#include "runtime/module.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <sstream>
#include <sys/mman.h>

namespace tessera::conformance {

// The device that all runs on, of TESSERA_CONFORMANCE_DEVICE; null where every target has its own.
static const Device *onlyDevice() {
  static const std::optional<Device> device = []() -> std::optional<Device> {
    const char *name = std::getenv("TESSERA_CONFORMANCE_DEVICE");
    if (!name || !*name)
      return {};
    Result<Device> opened = Device::open(name, {.threads = 2});
    if (opened)
      return std::move(*opened);
    std::fprintf(stderr, "TESSERA_CONFORMANCE_DEVICE: %s\n", opened.error().message.c_str());
    std::exit(1);
  }();
  return device ? &*device : nullptr;
}

// A chip of every generation that has its own instructions.
static bool isVirtual(std::string_view name) {
  constexpr std::string_view chips[] = {"t4", "a10g", "a100", "l4", "h100"};
  return std::ranges::find(chips, name) != std::end(chips);
}

std::vector<const Target *> runnableTargets() {
  if (const Device *device = onlyDevice())
    return {&device->target()};
  std::vector<const Target *> rows;
  for (const Target &row : targets())
    if (hostCanRun(row) || isVirtual(row.name))
      rows.push_back(&row);
  return rows;
}

// The parts of an environment variable between its commas; none where it is not set.
static std::vector<std::string> listed(const char *variable) {
  const char *value = std::getenv(variable);
  std::vector<std::string> parts;
  std::istringstream text(value ? value : "");
  for (std::string part; std::getline(text, part, ',');)
    parts.push_back(part);
  return parts;
}

std::vector<const Target *> gridTargets() {
  std::vector<const Target *> rows = runnableTargets();
  std::vector<std::string> names = listed("TESSERA_CONFORMANCE_TARGETS");
  if (!names.empty())
    std::erase_if(rows, [&](const Target *row) { return std::ranges::find(names, row->name) == names.end(); });
  return rows;
}

static constexpr size_t page = 4096, margin = 1024;

PoisonedMemory::PoisonedMemory(size_t bytes) {
  size_t aligned = (bytes + 63) / 64 * 64, body = (margin + aligned + page - 1) / page * page;
  auto *base =
      static_cast<std::byte *>(mmap(nullptr, body + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (base == MAP_FAILED)
    std::abort();
  mprotect(base + body, page, PROT_NONE);
  mapping = std::shared_ptr<std::byte>(base, [size = body + page](std::byte *p) { munmap(p, size); });
  all = {base, body};
  data = {base + body - aligned, bytes};
  std::ranges::fill(all, std::byte(0xff));
}

bool PoisonedMemory::surroundingsIntact() const {
  auto poisoned = [](std::byte b) { return b == std::byte(0xff); };
  return std::all_of(all.data(), data.data(), poisoned) &&
         std::all_of(data.data() + data.size(), all.data() + all.size(), poisoned);
}

static Argument tensor(DType dtype, Shape shape, std::span<const std::byte> bytes) {
  Argument argument;
  argument.dtype = dtype;
  argument.shape = std::move(shape);
  argument.memory = std::make_shared<PoisonedMemory>(bytes.size());
  if (!bytes.empty())
    std::memcpy(argument.memory->span().data(), bytes.data(), bytes.size());
  return argument;
}
Argument Argument::in(DType dtype, Shape shape, std::span<const float> values) {
  return tensor(dtype, std::move(shape), reference::encode(dtype, values));
}
Argument Argument::in(Shape shape, std::span<const int32_t> values) {
  return tensor(i32, std::move(shape), std::as_bytes(values));
}
Argument Argument::in(Shape shape, std::span<const int8_t> values) {
  return tensor(i8, std::move(shape), std::as_bytes(values));
}
Argument Argument::packed(DType format, Shape shape, std::span<const std::byte> panels) {
  return tensor(format, std::move(shape), panels);
}
Argument Argument::inOut(DType dtype, Shape shape, std::span<const float> values) {
  Argument argument = in(dtype, std::move(shape), values);
  argument.writable = true;
  return argument;
}
Argument Argument::out(DType dtype, Shape shape) {
  int64_t elements = 1;
  for (int64_t extent : shape)
    elements *= extent;
  Argument argument =
      tensor(dtype, std::move(shape), std::vector<std::byte>(denseBytes(dtype, elements), std::byte(0xff)));
  argument.writable = true;
  return argument;
}
Argument Argument::scalar(double value) {
  Argument argument;
  argument.value = value;
  return argument;
}
Argument Argument::scalar(int64_t value) {
  Argument argument;
  argument.value = value;
  return argument;
}
std::vector<float> Argument::floats() const { return reference::decode(dtype, memory->span()); }

static const Device &deviceOf(const Target &target) {
  if (const Device *device = onlyDevice())
    return *device;
  static std::map<std::string_view, Device> devices;
  auto found = devices.find(target.name);
  if (found == devices.end())
    found =
        devices
            .emplace(target.name,
                     Device::open((isVirtual(target.name) ? "virtual:" : "") + std::string(target.name), {.threads = 2})
                         .value())
            .first;
  return found->second;
}

static Result<LoadedKernel> kernelOf(const Target &target, const Program &program, const Schedule &schedule) {
  const Device &device = deviceOf(target); // made first, so that it outlives the kernels
  static std::map<std::string, LoadedKernel> loaded;
  std::string key = cacheKey(program, target, schedule);
  if (auto found = loaded.find(key); found != loaded.end())
    return found->second;
  Artifact artifact = TESSERA_TRY(compile(program, target, schedule));
  std::shared_ptr<driver::Driver> unowned(std::shared_ptr<void>(), &device.impl());
  return loaded.emplace(key, TESSERA_TRY(LoadedKernel::load(unowned, artifact))).first->second;
}

// The virtual GPU's own order of warps for launches from now on: of a seed, or 0 for the fixed one.
static void setSchedule(uint64_t seed) {
  static const auto set = [] {
    void *library = dlopen(driver::virtualCuda().value()->path.c_str(), RTLD_NOW | RTLD_NOLOAD);
    return reinterpret_cast<int (*)(uint64_t)>(dlsym(library, "tesseraVgpuSchedule"));
  }();
  set(seed);
}

// Fills the buffers, launches, and reads what was written back into the arguments.
static Status onDevice(const LoadedKernel &kernel, const Device &device, std::span<const Argument> arguments,
                       const std::vector<Buffer> &buffers, const std::vector<Arg> &args) {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].memory)
      TESSERA_TRY(buffers[i].copyFrom(arguments[i].memory->span().data(), buffers[i].bytes()));
  Stream stream = TESSERA_TRY(device.stream());
  TESSERA_TRY(kernel.launchAll(stream, args));
  TESSERA_TRY(stream.synchronize());
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].writable)
      TESSERA_TRY(buffers[i].copyTo(arguments[i].memory->span().data(), buffers[i].bytes()));
  return {};
}

static std::vector<std::vector<std::byte>> contents(std::span<const Argument> arguments) {
  std::vector<std::vector<std::byte>> all;
  for (const Argument &a : arguments)
    if (a.writable)
      all.emplace_back(a.memory->span().begin(), a.memory->span().end());
  return all;
}

static Status tryLaunch(const Target &target, const Program &program, std::span<const Argument> arguments,
                        const Schedule &schedule) {
  LoadedKernel kernel = TESSERA_TRY(kernelOf(target, program, schedule));
  const Device &device = deviceOf(target);
  const bool onGpu = target.vendor != Vendor::cpu;
  std::vector<Buffer> buffers(arguments.size());
  std::vector<Arg> args;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Argument &a = arguments[i];
    if (!a.memory) {
      std::visit([&](auto value) { args.emplace_back(value); }, a.value);
      continue;
    }
    std::span<std::byte> bytes = a.memory->span();
    buffers[i] = onGpu        ? TESSERA_TRY(device.alloc(a.dtype, a.shape))
                 : a.writable ? TESSERA_TRY(device.view(a.dtype, a.shape, bytes))
                              : TESSERA_TRY(device.view(a.dtype, a.shape, std::span<const std::byte>(bytes)));
    args.emplace_back(buffers[i]);
  }
  if (!onGpu) {
    Stream stream = TESSERA_TRY(device.stream());
    TESSERA_TRY(kernel.launchAll(stream, args));
    return stream.synchronize();
  }
  static const std::vector<std::string> seeds =
      device.impl().isModelled() ? listed("TESSERA_CONFORMANCE_SCHEDULES") : std::vector<std::string>();
  auto before = seeds.empty() ? std::vector<std::vector<std::byte>>() : contents(arguments);
  TESSERA_TRY(onDevice(kernel, device, arguments, buffers, args));
  auto after = seeds.empty() ? before : contents(arguments);
  for (const std::string &seed : seeds) {
    size_t next = 0;
    for (const Argument &a : arguments)
      if (a.writable)
        std::ranges::copy(before[next++], a.memory->span().begin());
    setSchedule(std::strtoull(seed.c_str(), nullptr, 10));
    Status status = onDevice(kernel, device, arguments, buffers, args);
    setSchedule(0);
    TESSERA_TRY(std::move(status));
    if (contents(arguments) != after)
      return internalError("the random schedule " + seed + " leaves other bits");
  }
  return {};
}

bool launch(const Target &target, const Result<Program> &program, std::vector<Argument> arguments,
            const Schedule &schedule) {
  if (!program) {
    ADD_FAILURE() << program.error().message;
    return false;
  }
  Status status = tryLaunch(target, *program, arguments, schedule);
  if (!status) {
    ADD_FAILURE() << program->signature.name << " " << program->config << ": " << status.error().message;
    return false;
  }
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].memory && !arguments[i].memory->surroundingsIntact()) {
      ADD_FAILURE() << program->signature.name << " wrote outside its argument " << program->signature.args[i].name;
      return false;
    }
  return true;
}

static std::vector<float> makeRandomFloats(int64_t count, uint32_t seed, float scale) {
  std::mt19937 random(seed);
  std::vector<float> values(count);
  // Irwin-Hall instead of std::normal_distribution, whose values differ between standard libraries.
  for (float &v : values) {
    float sum = -2;
    for (int i = 0; i < 4; ++i)
      sum += float(random() >> 8) * 0x1p-24f;
    v = sum * scale * (random() % 10 == 0 ? 10.0f : 1.0f);
  }
  return values;
}

// Long ones are kept, for every target takes the same: the first of a stream are those of a longer one.
std::vector<float> randomFloats(int64_t count, uint32_t seed, float scale) {
  if (count < 1 << 16)
    return makeRandomFloats(count, seed, scale);
  static std::map<std::pair<uint32_t, float>, std::vector<float>> streams;
  std::vector<float> &stream = streams[{seed, scale}];
  if (int64_t(stream.size()) < count)
    stream = makeRandomFloats(count, seed, scale);
  return {stream.begin(), stream.begin() + count};
}

std::vector<double> widen(std::span<const float> values) { return {values.begin(), values.end()}; }

} // namespace tessera::conformance
