// Entry points: modules and functions.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
CUresult load(CUmodule *module, const void *image, size_t size, JitLogs logs = {}) {
  if (CUresult r = ready())
    return r;
  if (!module || !image)
    return INVALID_VALUE;
  if (CUresult r = forbiddenByCapture())
    return r;
  std::string message;
  CUresult result = loadImage(current(), image, size, *module, message);
  logs.write(message);
  if (result != SUCCESS && !state().quiet && !logs.wanted() && !message.empty())
    std::fprintf(stderr, "tessera virtual GPU: %s\n", message.c_str());
  return result;
}

CUresult functionIn(CUmodule module, const char *name, CUfunction *function) {
  if (CUresult r = ready())
    return r;
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  if (!function || !name)
    return INVALID_VALUE;
  FunctionObject *found = functionNamed(*module, name);
  if (!found)
    return NOT_FOUND;
  *function = found;
  return SUCCESS;
}
} // namespace

namespace tessera::vgpu::driver {
CUresult functionAttribute(const FunctionObject &function, int attribute, int &value) {
  const Program &p = *function.program;
  const ptx::Function &f = *p.function;
  switch (attribute) {
  case 0:
    value = int(mostThreads(p));
    if (f.maxThreads[0])
      value = std::min(value, int(f.maxThreads[0] * std::max(1u, f.maxThreads[1]) * std::max(1u, f.maxThreads[2])));
    return SUCCESS;
  case 1:
    value = int(p.sharedBytes);
    return SUCCESS;
  case 2: // constant memory of the user's
    value = 0;
    return SUCCESS;
  case 3:
    value = int(p.resources.stackBytes);
    return SUCCESS;
  case 4:
    value = int(p.resources.registers);
    return SUCCESS;
  case 5:
    value = int(function.module->ptx.version());
    return SUCCESS;
  case 6:
    value = int(function.module->context->device->chip->arch);
    return SUCCESS;
  case 7: // cache mode
    value = 0;
    return SUCCESS;
  case 8:
    value = int(function.maxDynamicShared);
    return SUCCESS;
  case 9:
    value = function.carveout;
    return SUCCESS;
  case 10:
    value = f.cluster[0] != 0;
    return SUCCESS;
  case 11:
  case 12:
  case 13:
    value = int(f.cluster[attribute - 11]);
    return SUCCESS;
  case 14:
    value = function.nonPortableCluster;
    return SUCCESS;
  case 15: // cluster scheduling policy
    value = 0;
    return SUCCESS;
  default:
    return INVALID_VALUE;
  }
}

CUresult setFunctionAttribute(FunctionObject &function, int attribute, int value) {
  const ChipLimits &limits = function.module->context->device->chip->limits;
  if (attribute == 8) {
    int64_t most = int64_t(limits.sharedPerBlockKiB) * 1024 - function.program->sharedBytes;
    if (value < 0 || value > most)
      return INVALID_VALUE;
    function.maxDynamicShared = uint32_t(value);
    return SUCCESS;
  }
  if (attribute == 9) {
    if (value < -1 || value > 100)
      return INVALID_VALUE;
    function.carveout = value;
    return SUCCESS;
  }
  if (attribute == 14) {
    function.nonPortableCluster = value != 0;
    return SUCCESS;
  }
  return attribute == 15 && value >= 0 && value <= 2 ? SUCCESS : INVALID_VALUE;
}

CUresult functionOf(const void *handle, FunctionObject *&function) {
  if (alive(handle, functionKind)) {
    function = static_cast<FunctionObject *>(const_cast<void *>(handle));
    return SUCCESS;
  }
  auto *kernel = static_cast<KernelObject *>(const_cast<void *>(handle));
  return alive(handle, kernelKind) ? functionOfKernel(*kernel, function) : INVALID_HANDLE;
}
} // namespace tessera::vgpu::driver

#pragma GCC visibility push(default)
extern "C" {

CUresult cuModuleLoadData(CUmodule *module, const void *image) {
  Guard hold;
  return load(module, image, 0);
}
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, const int *options, void **values) {
  Guard hold;
  JitLogs logs;
  if (CUresult r = ready())
    return r;
  if (CUresult r = logs.read(count, options, values))
    return r;
  return load(module, image, 0, logs);
}
CUresult cuModuleLoadFatBinary(CUmodule *module, const void *image) {
  Guard hold;
  return load(module, image, 0);
}
CUresult cuModuleLoad(CUmodule *module, const char *path) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!module || !path)
    return INVALID_VALUE;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return FILE_NOT_FOUND;
  std::string image((std::istreambuf_iterator<char>(file)), {});
  return image.empty() ? INVALID_IMAGE : load(module, image.data(), image.size());
}
CUresult cuModuleUnload(CUmodule module) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  for (LibraryObject *l : allOf<LibraryObject>(libraryKind))
    for (auto &[context, own] : l->modules)
      if (own == module)
        return NOT_PERMITTED; // it goes with its library
  unloadModule(module);
  return SUCCESS;
}
CUresult cuModuleGetLoadingMode(int *mode) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!mode)
    return INVALID_VALUE;
  *mode = 1; // eager
  return SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  Guard hold;
  return functionIn(module, name, function);
}
CUresult cuModuleGetFunctionCount(unsigned *count, CUmodule module) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  if (!count)
    return INVALID_VALUE;
  *count = unsigned(module->functions.size());
  return SUCCESS;
}
CUresult cuModuleEnumerateFunctions(CUfunction *functions, unsigned count, CUmodule module) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  if (!functions)
    return INVALID_VALUE;
  for (unsigned i = 0; i < count && i < module->functions.size(); ++i)
    functions[i] = module->functions[i].get();
  return SUCCESS;
}
CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  if (!name || (!address && !bytes))
    return INVALID_VALUE;
  auto found = module->symbols.find(name);
  if (found == module->symbols.end())
    return NOT_FOUND;
  if (address)
    *address = found->second;
  if (bytes)
    *bytes = module->sizes[name];
  return SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction handle) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  return value ? functionAttribute(*function, attribute, *value) : INVALID_VALUE;
}
CUresult cuFuncSetAttribute(CUfunction handle, int attribute, int value) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  return setFunctionAttribute(*function, attribute, value);
}
CUresult cuFuncSetCacheConfig(CUfunction handle, int config) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  return config >= 0 && config <= 3 ? SUCCESS : INVALID_VALUE;
}
CUresult cuFuncSetSharedMemConfig(CUfunction handle, int config) { return cuFuncSetCacheConfig(handle, config); }
CUresult cuFuncGetModule(CUmodule *module, CUfunction handle) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  if (!module)
    return INVALID_VALUE;
  *module = function->module;
  return SUCCESS;
}
CUresult cuFuncGetName(const char **name, CUfunction handle) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  if (!name)
    return INVALID_VALUE;
  *name = function->program->name.c_str();
  return SUCCESS;
}
CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t *offset, size_t *size) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  const auto &parameters = function->program->parameters;
  if (!offset || index >= parameters.size())
    return INVALID_VALUE;
  *offset = parameters[index].offset;
  if (size)
    *size = parameters[index].size;
  return SUCCESS;
}
CUresult cuFuncIsLoaded(int *loading, CUfunction handle) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  if (!loading)
    return INVALID_VALUE;
  *loading = 1;
  return SUCCESS;
}
CUresult cuFuncLoad(CUfunction handle) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  return functionOf(handle, function);
}
}
#pragma GCC visibility pop
