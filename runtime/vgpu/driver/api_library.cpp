// Entry points: libraries and kernels, which belong to no context, and the linker.
#include "runtime/vgpu/driver/image.h"
#include "runtime/vgpu/driver/work.h"
#include <algorithm>
#include <fstream>
#include <iterator>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace tessera::vgpu::driver {
struct LinkObject : Handle {
  std::string text; // of the one input that is taken
  JitLogs logs;
  bool complete = false;
};
} // namespace tessera::vgpu::driver

namespace {
// The library's module in the current context.
CUresult moduleOf(LibraryObject &library, ModuleObject *&module) {
  if (CUresult r = ready())
    return r;
  auto found = library.modules.find(current());
  if (found != library.modules.end()) {
    module = found->second;
    return SUCCESS;
  }
  std::string log;
  if (CUresult r = loadModule(current(), library.text, module, log))
    return r;
  library.modules[current()] = module;
  for (auto &kernel : library.kernels)
    if (FunctionObject *f = functionNamed(*module, kernel->name))
      for (auto &[key, value] : kernel->attributes)
        if (key.first == current()->device->ordinal)
          setFunctionAttribute(*f, key.second, value);
  return SUCCESS;
}

// All devices of a process are of few chips: the text is taken for the newest that can be asked for, which is that of
// the current context or of the first device.
const Chip &chipOf() { return *(alive(current(), contextKind) ? current()->device : &state().devices.front())->chip; }

CUresult load(CUlibrary *library, const void *image, size_t size, JitLogs logs) {
  if (!library || !image)
    return INVALID_VALUE;
  if (state().devices.empty())
    return NO_DEVICE;
  Image read = readImage(image, size, chipOf().arch);
  CUresult result = read.result;
  auto made = std::make_unique<LibraryObject>();
  made->text = std::move(read.text);
  std::vector<std::string> names;
  if (result == SUCCESS)
    result = entriesOf(made->text, names, read.message);
  logs.write(read.message);
  if (result != SUCCESS) {
    if (!state().quiet && !logs.wanted())
      std::fprintf(stderr, "tessera virtual GPU: %s\n", read.message.c_str());
    return result;
  }
  for (std::string &name : names) {
    KernelObject *kernel = made->kernels.emplace_back(std::make_unique<KernelObject>()).get();
    kernel->library = made.get();
    kernel->name = std::move(name);
    born(kernel, kernelKind);
  }
  born(made.get(), libraryKind);
  *library = made.release();
  return SUCCESS;
}

CUresult kernelOf(CUkernel kernel, CUdevice device) {
  if (CUresult r = started())
    return r;
  if (!alive(kernel, kernelKind))
    return INVALID_HANDLE;
  return deviceAt(device) ? SUCCESS : INVALID_DEVICE;
}

CUresult inThat(CUlibrary library) {
  if (CUresult r = started())
    return r;
  return alive(library, libraryKind) ? SUCCESS : INVALID_HANDLE;
}
} // namespace

namespace tessera::vgpu::driver {
CUresult functionOfKernel(KernelObject &kernel, FunctionObject *&function) {
  ModuleObject *module = nullptr;
  if (CUresult r = moduleOf(*kernel.library, module))
    return r;
  function = functionNamed(*module, kernel.name);
  return function ? SUCCESS : NOT_FOUND;
}

void unloadLibrary(LibraryObject *library) {
  for (auto &[context, module] : library->modules)
    unloadModule(module);
  for (auto &kernel : library->kernels)
    died(kernel.get());
  died(library);
  delete library;
}
} // namespace tessera::vgpu::driver

#pragma GCC visibility push(default)
extern "C" {

// The options of libraries say how globals of several contexts relate; every context has its own here.
CUresult cuLibraryLoadData(CUlibrary *library, const void *image, const int *options, void **values, unsigned count,
                           const int *libraryOptions, void **libraryValues, unsigned libraryCount) {
  Guard hold;
  JitLogs logs;
  if (CUresult r = started())
    return r;
  if (CUresult r = logs.read(count, options, values))
    return r;
  (void)libraryValues;
  if (libraryCount && !libraryOptions)
    return INVALID_VALUE;
  return load(library, image, 0, logs);
}
CUresult cuLibraryLoadFromFile(CUlibrary *library, const char *path, const int *options, void **values, unsigned count,
                               const int *libraryOptions, void **, unsigned libraryCount) {
  Guard hold;
  JitLogs logs;
  if (CUresult r = started())
    return r;
  if (CUresult r = logs.read(count, options, values))
    return r;
  if (!library || !path || (libraryCount && !libraryOptions))
    return INVALID_VALUE;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return FILE_NOT_FOUND;
  std::string image((std::istreambuf_iterator<char>(file)), {});
  return image.empty() ? INVALID_IMAGE : load(library, image.data(), image.size(), logs);
}
CUresult cuLibraryUnload(CUlibrary library) {
  Guard hold;
  if (CUresult r = inThat(library))
    return r;
  unloadLibrary(library);
  return SUCCESS;
}
CUresult cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name) {
  Guard hold;
  if (CUresult r = inThat(library))
    return r;
  if (!kernel || !name)
    return INVALID_VALUE;
  for (auto &k : library->kernels)
    if (k->name == name) {
      *kernel = k.get();
      return SUCCESS;
    }
  return NOT_FOUND;
}
CUresult cuLibraryGetKernelCount(unsigned *count, CUlibrary library) {
  Guard hold;
  if (CUresult r = inThat(library))
    return r;
  if (!count)
    return INVALID_VALUE;
  *count = unsigned(library->kernels.size());
  return SUCCESS;
}
CUresult cuLibraryEnumerateKernels(CUkernel *kernels, unsigned count, CUlibrary library) {
  Guard hold;
  if (CUresult r = inThat(library))
    return r;
  if (!kernels)
    return INVALID_VALUE;
  for (unsigned i = 0; i < count && i < library->kernels.size(); ++i)
    kernels[i] = library->kernels[i].get();
  return SUCCESS;
}
CUresult cuLibraryGetModule(CUmodule *module, CUlibrary library) {
  Guard hold;
  if (CUresult r = inThat(library))
    return r;
  return module ? moduleOf(*library, *module) : INVALID_VALUE;
}
CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name);
CUresult cuLibraryGetGlobal(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name) {
  Guard hold;
  ModuleObject *module = nullptr;
  if (CUresult r = inThat(library))
    return r;
  if (!name || (!address && !bytes))
    return INVALID_VALUE;
  if (CUresult r = moduleOf(*library, module))
    return r;
  return cuModuleGetGlobal_v2(address, bytes, module, name);
}
// PTX tells managed variables apart by an attribute that the parser keeps for nobody: none is found.
CUresult cuLibraryGetManaged(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name) {
  Guard hold;
  if (CUresult r = inThat(library))
    return r;
  return !name || (!address && !bytes) ? INVALID_VALUE : NOT_FOUND;
}
CUresult cuLibraryGetUnifiedFunction(void **function, CUlibrary library, const char *name) {
  Guard hold;
  if (CUresult r = inThat(library))
    return r;
  return !function || !name ? INVALID_VALUE : NOT_FOUND;
}

CUresult cuKernelGetFunction(CUfunction *function, CUkernel kernel) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(kernel, kernelKind))
    return INVALID_HANDLE;
  return function ? functionOfKernel(*kernel, *function) : INVALID_VALUE;
}
CUresult cuKernelGetLibrary(CUlibrary *library, CUkernel kernel) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(kernel, kernelKind))
    return INVALID_HANDLE;
  if (!library)
    return INVALID_VALUE;
  *library = kernel->library;
  return SUCCESS;
}
CUresult cuKernelGetAttribute(int *value, int attribute, CUkernel kernel, CUdevice device) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = kernelOf(kernel, device))
    return r;
  if (!value)
    return INVALID_VALUE;
  if (auto set = kernel->attributes.find({device, attribute}); set != kernel->attributes.end()) {
    *value = set->second;
    return SUCCESS;
  }
  if (CUresult r = functionOfKernel(*kernel, function))
    return r;
  return functionAttribute(*function, attribute, *value);
}
CUresult cuKernelSetAttribute(int attribute, int value, CUkernel kernel, CUdevice device) {
  Guard hold;
  if (CUresult r = kernelOf(kernel, device))
    return r;
  for (auto &[context, module] : kernel->library->modules)
    if (context->device->ordinal == device)
      if (FunctionObject *f = functionNamed(*module, kernel->name))
        if (CUresult r = setFunctionAttribute(*f, attribute, value))
          return r;
  const int64_t most = int64_t(deviceAt(device)->chip->limits.sharedPerBlockKiB) * 1024;
  if ((attribute != 8 && attribute != 9 && attribute != 14 && attribute != 15) ||
      (attribute == 8 && (value < 0 || value > most)))
    return INVALID_VALUE;
  kernel->attributes[{device, attribute}] = value;
  return SUCCESS;
}
CUresult cuKernelSetCacheConfig(CUkernel kernel, int config, CUdevice device) {
  Guard hold;
  if (CUresult r = kernelOf(kernel, device))
    return r;
  return config >= 0 && config <= 3 ? SUCCESS : INVALID_VALUE;
}
CUresult cuKernelGetName(const char **name, CUkernel kernel) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(kernel, kernelKind))
    return INVALID_HANDLE;
  if (!name)
    return INVALID_VALUE;
  *name = kernel->name.c_str();
  return SUCCESS;
}
CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t *offset, size_t *size);
CUresult cuKernelGetParamInfo(CUkernel kernel, size_t index, size_t *offset, size_t *size) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(kernel, kernelKind))
    return INVALID_HANDLE;
  FunctionObject *function = nullptr;
  if (CUresult r = functionOfKernel(*kernel, function))
    return r;
  return cuFuncGetParamInfo(function, index, offset, size);
}

// One PTX input can be "linked": what comes out is its text. Several would have to be joined: refused, with a log.
CUresult cuLinkCreate_v2(unsigned count, const int *options, void **values, CUlinkState *out) {
  Guard hold;
  JitLogs logs;
  if (CUresult r = ready())
    return r;
  if (CUresult r = logs.read(count, options, values))
    return r;
  if (!out)
    return INVALID_VALUE;
  auto *made = new LinkObject;
  made->logs = logs;
  born(made, linkKind);
  *out = made;
  return SUCCESS;
}
CUresult cuLinkCreate(unsigned count, const int *options, void **values, CUlinkState *out) {
  return cuLinkCreate_v2(count, options, values, out);
}
CUresult cuLinkAddData_v2(CUlinkState link, int type, const void *data, size_t size, const char *name, unsigned,
                          const int *, void **) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(link, linkKind) || link->complete)
    return INVALID_HANDLE;
  if (!data || !size || type < 0 || type > 5)
    return INVALID_VALUE;
  const std::string title = name ? name : "the input";
  auto refuse = [&](CUresult code, const std::string &why) {
    link->logs.write(title + ": " + why);
    return code;
  };
  if (type != 1 && type != 2)
    return refuse(NO_BINARY_FOR_GPU, "machine code, objects and libraries cannot be linked on the virtual GPU");
  if (!link->text.empty())
    return refuse(NOT_SUPPORTED, "the virtual GPU links one PTX input only");
  Image read = readImage(data, size, current()->device->chip->arch);
  std::vector<std::string> names;
  if (read.result == SUCCESS)
    read.result = entriesOf(read.text, names, read.message);
  if (read.result != SUCCESS)
    return refuse(read.result, read.message);
  link->text = std::move(read.text);
  return SUCCESS;
}
CUresult cuLinkAddData(CUlinkState link, int type, const void *data, size_t size, const char *name, unsigned count,
                       const int *options, void **values) {
  return cuLinkAddData_v2(link, type, data, size, name, count, options, values);
}
CUresult cuLinkAddFile_v2(CUlinkState link, int type, const char *path, unsigned count, const int *options,
                          void **values) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(link, linkKind) || link->complete)
    return INVALID_HANDLE;
  if (!path)
    return INVALID_VALUE;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return FILE_NOT_FOUND;
  std::string image((std::istreambuf_iterator<char>(file)), {});
  return cuLinkAddData_v2(link, type, image.data(), image.size(), path, count, options, values);
}
CUresult cuLinkAddFile(CUlinkState link, int type, const char *path, unsigned count, const int *options,
                       void **values) {
  return cuLinkAddFile_v2(link, type, path, count, options, values);
}
CUresult cuLinkComplete(CUlinkState link, void **image, size_t *size) {
  Guard hold;
  if (CUresult r = ready())
    return r;
  if (!alive(link, linkKind))
    return INVALID_HANDLE;
  if (!image || link->text.empty())
    return INVALID_VALUE;
  link->complete = true;
  link->logs.write("");
  *image = link->text.data();
  if (size)
    *size = link->text.size() + 1;
  return SUCCESS;
}
CUresult cuLinkDestroy(CUlinkState link) {
  Guard hold;
  if (CUresult r = started())
    return r;
  if (!alive(link, linkKind))
    return INVALID_HANDLE;
  died(link);
  delete link;
  return SUCCESS;
}
}
#pragma GCC visibility pop
