// Entry points: the way by which programs look entry points up by name, and the profiler's switches.
#include "runtime/vgpu/driver/state.h"
#include <cstring>
#include <dlfcn.h>
#include <string>

using namespace tessera::vgpu::driver;

namespace {
// From which CUDA version on (major times 1000) a name means its newest form; earlier programs get the form before.
struct Since {
  const char *symbol, *suffix;
  int version;
};
constexpr Since since[] = {
    {"cuCtxCreate", "_v4", 13000},
    {"cuCtxCreate", "_v3", 11040},
    {"cuMemAdvise", "_v2", 13000},
    {"cuMemPrefetchAsync", "_v2", 13000},
    {"cuMemcpyBatchAsync", "_v2", 13000},
    {"cuGraphAddKernelNode", "_v2", 12000},
    {"cuGraphKernelNodeGetParams", "_v2", 12000},
    {"cuGraphKernelNodeSetParams", "_v2", 12000},
    {"cuGraphExecKernelNodeSetParams", "_v2", 12000},
    {"cuGraphExecUpdate", "_v2", 12000},
    {"cuGraphInstantiate", "_v2", 11000},
    {"cuGraphGetEdges", "_v2", 13000},
    {"cuGraphNodeGetDependencies", "_v2", 13000},
    {"cuGraphNodeGetDependentNodes", "_v2", 13000},
    {"cuGraphAddDependencies", "_v2", 13000},
    {"cuGraphRemoveDependencies", "_v2", 13000},
    {"cuGraphAddNode", "_v2", 13000},
    {"cuStreamGetCaptureInfo", "_v3", 13000},
    {"cuStreamGetCaptureInfo", "_v2", 11030},
    {"cuStreamUpdateCaptureDependencies", "_v2", 13000},
    {"cuStreamGetCtx", "_v2", 12050},
    {"cuCtxGetDevice", "_v2", 13000},
    {"cuCtxSynchronize", "_v2", 13000},
    {"cuEventElapsedTime", "_v2", 12080},
};

bool tooNew(const char *symbol, const char *suffix, int version) {
  for (const Since &row : since)
    if (std::strcmp(row.symbol, symbol) == 0 && std::strcmp(row.suffix, suffix) == 0 && version < row.version)
      return true;
  return false;
}
// Where the newer form is another function with the same name: only those that ask for it by its own name get it.
bool ownName(const char *symbol, const char *suffix) {
  return std::strcmp(suffix, "_v2") == 0 &&
         (std::strcmp(symbol, "cuCtxGetDevice") == 0 || std::strcmp(symbol, "cuCtxSynchronize") == 0 ||
          std::strcmp(symbol, "cuStreamGetCtx") == 0);
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

// Works before cuInit.
CUresult cuGetProcAddress_v2(const char *symbol, void **function, int version, uint64_t flags, int *status) {
  if (!symbol || !function || flags & ~3ull)
    return INVALID_VALUE;
  *function = nullptr;
  Dl_info self{};
  dladdr(reinterpret_cast<void *>(&cuGetProcAddress_v2), &self);
  void *library = self.dli_fname ? dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD) : nullptr;
  auto find = [&](const std::string &name) { return dlsym(library ? library : RTLD_DEFAULT, name.c_str()); };
  const bool ours = std::strncmp(symbol, "cu", 2) == 0;
  constexpr uint64_t perThread = 2;
  // The same function with the thread's default stream, where it has to do with streams.
  auto ownStream = [&](const std::string &name) {
    void *found = nullptr;
    for (const char *suffix : {"_ptsz", "_ptds"})
      if (flags == perThread && !found)
        found = find(name + suffix);
    return found ? found : find(name);
  };
  // 12.0 made the name mean the form with flags.
  if (std::strcmp(symbol, "cuGraphInstantiate") == 0 && version >= 12000)
    *function = find("cuGraphInstantiateWithFlags");
  for (const char *suffix : {"_v4", "_v3", "_v2", ""})
    if (ours && !*function && !tooNew(symbol, suffix, version) && !ownName(symbol, suffix))
      *function = ownStream(symbol + std::string(suffix));
  if (library)
    dlclose(library);
  if (status)
    *status = *function ? 0 : 1;
  return *function ? SUCCESS : NOT_FOUND;
}
CUresult cuGetProcAddress(const char *symbol, void **function, int version, uint64_t flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}

// Private tables of the vendor's own libraries. The runtime library (cudart) asks for several, among them one that
// proves the driver to be the vendor's: such programs end with "symbol not found" here.
CUresult cuGetExportTable(const void **table, const CUuuid *id) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!table || !id)
    return INVALID_VALUE;
  *table = nullptr;
  return NOT_FOUND;
}

// There is no profiler to switch.
CUresult cuProfilerStart() {
  Guard hold;
  return started() ? NOT_INITIALIZED : SUCCESS;
}
CUresult cuProfilerStop() { return cuProfilerStart(); }
}
#pragma GCC visibility pop
