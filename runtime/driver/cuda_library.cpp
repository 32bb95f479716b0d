#include "runtime/driver/cuda_library.h"
#include <charconv>
#include <cstdlib>
#include <dlfcn.h>
#include <filesystem>

namespace tessera::driver {

namespace {
namespace fs = std::filesystem;

constexpr const char *virtualName = "libtessera-vcuda.so";

// Takes entry points by name; keeps the first name that is missing.
struct Binder {
  void *library;
  const char *missing = nullptr;

  template <class F> void optional(F &into, const char *name) { into = reinterpret_cast<F>(dlsym(library, name)); }
  template <class F> void required(F &into, const char *name) {
    optional(into, name);
    if (!into && !missing)
      missing = name;
  }
};

void bindDevices(Binder &bind, CudaApi &api) {
  bind.required(api.init, "cuInit");
  bind.required(api.driverGetVersion, "cuDriverGetVersion");
  bind.required(api.getErrorName, "cuGetErrorName");
  bind.required(api.getErrorString, "cuGetErrorString");
  bind.required(api.deviceGetCount, "cuDeviceGetCount");
  bind.required(api.deviceGet, "cuDeviceGet");
  bind.required(api.deviceGetName, "cuDeviceGetName");
  bind.required(api.deviceTotalMem, "cuDeviceTotalMem_v2");
  bind.required(api.deviceGetAttribute, "cuDeviceGetAttribute");
  bind.required(api.devicePrimaryCtxRetain, "cuDevicePrimaryCtxRetain");
  bind.required(api.devicePrimaryCtxRelease, "cuDevicePrimaryCtxRelease_v2");
  bind.required(api.ctxPushCurrent, "cuCtxPushCurrent_v2");
  bind.required(api.ctxPopCurrent, "cuCtxPopCurrent_v2");
  bind.required(api.ctxSynchronize, "cuCtxSynchronize");
}

void bindKernels(Binder &bind, CudaApi &api) {
  bind.required(api.moduleLoadDataEx, "cuModuleLoadDataEx");
  bind.required(api.moduleUnload, "cuModuleUnload");
  bind.required(api.moduleGetFunction, "cuModuleGetFunction");
  bind.required(api.funcGetAttribute, "cuFuncGetAttribute");
  bind.required(api.funcSetAttribute, "cuFuncSetAttribute");
  bind.optional(api.funcGetParamInfo, "cuFuncGetParamInfo");
  bind.required(api.launchKernel, "cuLaunchKernel");
  bind.required(api.streamCreate, "cuStreamCreate");
  bind.required(api.streamDestroy, "cuStreamDestroy_v2");
  bind.required(api.streamSynchronize, "cuStreamSynchronize");
  bind.required(api.eventCreate, "cuEventCreate");
  bind.required(api.eventDestroy, "cuEventDestroy_v2");
  bind.required(api.eventRecord, "cuEventRecord");
  bind.required(api.eventSynchronize, "cuEventSynchronize");
  bind.required(api.eventElapsedTime, "cuEventElapsedTime");
}

void bindGraphs(Binder &bind, CudaApi &api) {
  bind.required(api.streamBeginCapture, "cuStreamBeginCapture_v2");
  bind.required(api.streamEndCapture, "cuStreamEndCapture");
  bind.required(api.graphInstantiate, "cuGraphInstantiateWithFlags");
  bind.required(api.graphLaunch, "cuGraphLaunch");
  bind.required(api.graphDestroy, "cuGraphDestroy");
  bind.required(api.graphExecDestroy, "cuGraphExecDestroy");
}

void bindMemory(Binder &bind, CudaApi &api) {
  bind.required(api.memGetInfo, "cuMemGetInfo_v2");
  bind.required(api.memAlloc, "cuMemAlloc_v2");
  bind.required(api.memFree, "cuMemFree_v2");
  bind.required(api.memHostAlloc, "cuMemHostAlloc");
  bind.required(api.memFreeHost, "cuMemFreeHost");
  bind.required(api.memcpyHtoD, "cuMemcpyHtoD_v2");
  bind.required(api.memcpyDtoH, "cuMemcpyDtoH_v2");
  bind.required(api.memcpyHtoDAsync, "cuMemcpyHtoDAsync_v2");
  bind.required(api.memcpyDtoHAsync, "cuMemcpyDtoHAsync_v2");
}

Result<CudaLibrary> bindAll(void *handle, std::string path) {
  CudaLibrary library{.path = std::move(path)};
  Binder bind{handle};
  bindDevices(bind, library.api);
  bindKernels(bind, library.api);
  bindMemory(bind, library.api);
  bindGraphs(bind, library.api);
  if (bind.missing)
    return deviceError("the CUDA driver " + library.path + " is too old: it has no " + bind.missing);
  bind.optional(library.api.tensorMapEncodeTiled, "cuTensorMapEncodeTiled");
  bind.optional(library.api.vgpuChips, "tesseraVgpuChips");
  bind.optional(library.api.vgpuOpenChip, "tesseraVgpuOpenChip");
  bind.optional(library.api.vgpuLastFindings, "tesseraVgpuLastFindings");
  bind.optional(library.api.vgpuLastReport, "tesseraVgpuLastReport");
  return library;
}

// Opened before the virtual one in any case: that one has the same soname, and the loader would hand it out again.
Result<CudaLibrary> openReal() {
  void *handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!handle)
    return deviceError("this machine has no CUDA driver (libcuda.so.1 cannot be opened)");
  return bindAll(handle, "libcuda.so.1");
}
const Result<CudaLibrary> &real() {
  static const Result<CudaLibrary> library = openReal();
  return library;
}

std::vector<std::string> virtualPaths() {
  if (const char *named = std::getenv("TESSERA_VGPU_LIBRARY"); named && *named)
    return {named};
  std::vector<std::string> paths;
  std::error_code ignored;
  Dl_info self = {};
  fs::path program = fs::read_symlink("/proc/self/exe", ignored);
  fs::path here = dladdr(reinterpret_cast<void *>(&virtualPaths), &self) && self.dli_fname ? self.dli_fname : "";
  for (const fs::path &file : {here, program})
    for (const char *folder : {".", "../lib", "../" TESSERA_LIBRARY_FOLDER})
      if (fs::path path = file.parent_path() / folder / virtualName; file.has_parent_path())
        if (fs::exists(path, ignored))
          paths.push_back(path.lexically_normal());
  paths.push_back(virtualName);
  return paths;
}

Result<CudaLibrary> openVirtual() {
  (void)real();
  std::string why;
  for (const std::string &path : virtualPaths()) {
    if (void *handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)) {
      CudaLibrary library = TESSERA_TRY(bindAll(handle, path));
      if (!library.api.vgpuChips || !library.api.vgpuOpenChip || !library.api.vgpuLastFindings ||
          !library.api.vgpuLastReport)
        return deviceError(path + " is not the virtual GPU's driver");
      return library;
    }
    why = path + " cannot be opened";
  }
  return deviceError("the virtual GPUs' driver is not there: " + why);
}

int64_t integer(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
} // namespace

Result<const CudaLibrary *> realCuda() {
  const Result<CudaLibrary> &library = real();
  if (!library)
    return library.error();
  static const CuResult started = library->api.init(0);
  if (started == cuNoDevice)
    return deviceError("the CUDA driver of this machine finds no device");
  if (const char *text = nullptr; started != cuSuccess) {
    library->api.getErrorString(started, &text);
    return deviceError("the CUDA driver of this machine does not start: cuInit answers " +
                       (text ? std::string(text) : std::to_string(started)));
  }
  return &*library;
}

Result<const CudaLibrary *> virtualCuda() {
  static const Result<CudaLibrary> library = openVirtual();
  if (!library)
    return library.error();
  return &*library;
}

std::vector<VirtualChip> virtualChips(const CudaLibrary &library) {
  std::vector<VirtualChip> chips;
  std::string_view rest = library.api.vgpuChips();
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    std::string_view fields[6];
    for (std::string_view &field : fields) {
      field = line.substr(0, line.find('\t'));
      line.remove_prefix(std::min(line.size(), field.size() + 1));
    }
    chips.push_back({std::string(fields[0]), std::string(fields[1]), int(integer(fields[2])), int(integer(fields[3])),
                     integer(fields[4]), integer(fields[5])});
  }
  return chips;
}

} // namespace tessera::driver
