// Entry points: modules, functions, launches, occupancy.
#include "runtime/vgpu/driver/state.h"
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
using Guard = std::lock_guard<std::recursive_mutex>;

// PTX text inside an image: itself, or the PTX entry of a fat binary. Empty when there is none.
std::string_view ptxOf(const void *image) {
  const auto *bytes = static_cast<const unsigned char *>(image);
  uint32_t magic;
  std::memcpy(&magic, bytes, 4);
  if (magic == 0x466243b1) { // the wrapper nvcc puts around: magic, version, pointer
    std::memcpy(&bytes, static_cast<const unsigned char *>(image) + 8, sizeof bytes);
    std::memcpy(&magic, bytes, 4);
  }
  if (magic == 0xba55ed50) {
    uint16_t headerSize;
    uint64_t size;
    std::memcpy(&headerSize, bytes + 6, 2);
    std::memcpy(&size, bytes + 8, 8);
    const unsigned char *at = bytes + headerSize, *end = at + size;
    while (at + 64 <= end) {
      uint16_t kind;
      uint32_t entryHeader, packed;
      uint64_t entrySize;
      std::memcpy(&kind, at, 2);
      std::memcpy(&entryHeader, at + 4, 4);
      std::memcpy(&entrySize, at + 8, 8);
      std::memcpy(&packed, at + 16, 4);
      if (entryHeader < 24 || entrySize > size)
        return {};
      if (kind == 1 && packed == 0) {
        std::string_view text(reinterpret_cast<const char *>(at) + entryHeader, entrySize);
        return text.substr(0, text.find('\0'));
      }
      at += entryHeader + entrySize;
    }
    return {};
  }
  if (magic == 0x464c457f) // ELF: machine code
    return {};
  return static_cast<const char *>(image);
}

struct Log {
  char *buffer = nullptr;
  size_t size = 0;
  void **sizeSlot = nullptr;
  void write(const std::string &text) {
    size_t n = buffer && size ? std::min(size - 1, text.size()) : 0;
    if (buffer && size) {
      std::memcpy(buffer, text.data(), n);
      buffer[n] = 0;
    }
    if (sizeSlot)
      *sizeSlot = reinterpret_cast<void *>(n ? n + 1 : 0);
  }
};

CUresult load(CUmodule *module, const void *image, unsigned count, int *options, void **values) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!module || !image || (count && (!options || !values)))
    return INVALID_VALUE;
  Log error, info;
  for (unsigned i = 0; i < count; ++i) {
    Log &log = options[i] == 3 || options[i] == 4 ? info : error;
    if (options[i] == 3 || options[i] == 5)
      log.buffer = static_cast<char *>(values[i]);
    if (options[i] == 4 || options[i] == 6) {
      log.size = reinterpret_cast<size_t>(values[i]);
      log.sizeSlot = &values[i];
    }
  }
  std::string_view text = ptxOf(image);
  std::string message;
  CUresult result = INVALID_IMAGE;
  if (text.data() == nullptr) {
    result = NO_BINARY_FOR_GPU;
    message = "the image holds no PTX: the virtual GPU does not execute machine code";
  } else if (text.find(".version") != text.npos || text.find("//") == 0) {
    result = loadModule(current(), text, *module, message);
  } else {
    message = "the image is neither PTX nor a fat binary";
  }
  info.write("");
  error.write(message);
  if (result != SUCCESS && !state().quiet && !error.buffer && !message.empty())
    std::fprintf(stderr, "tessera virtual GPU: %s\n", message.c_str());
  return result;
}

CUresult launchAs(const KernelNodeParams &shape, const uint32_t *cluster, bool cooperative, CUstream stream) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(shape.function, functionKind) || shape.function->module->context != current())
    return INVALID_HANDLE;
  uint32_t dims[3] = {cluster[0], cluster[1], cluster[2]};
  const ptx::Function &f = *shape.function->program->function;
  if (f.cluster[0] && dims[0] * dims[1] * dims[2] == 1)
    for (int k = 0; k < 3; ++k)
      dims[k] = std::max(1u, f.cluster[k]);
  if (CUresult r = validateLaunch(*shape.function, shape, dims, cooperative))
    return r;
  std::vector<uint8_t> arguments;
  if (CUresult r = packArguments(*shape.function, shape.kernelParams, shape.extra, arguments))
    return r;
  NodeObject *node = nullptr;
  FunctionObject *function = shape.function;
  uint32_t a = dims[0], b = dims[1], c = dims[2];
  CUresult result = submit(
      stream, NodeObject::Type::kernel,
      [=](StreamObject &s) {
        uint32_t size[3] = {a, b, c};
        return alive(function, functionKind) ? launch(*function, shape, size, cooperative, arguments, s)
                                             : INVALID_HANDLE;
      },
      &node);
  if (node) {
    node->kernel = shape;
    node->arguments = arguments;
  }
  return result;
}
constexpr uint32_t single[3] = {1, 1, 1};
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuModuleLoadData(CUmodule *module, const void *image) { return load(module, image, 0, nullptr, nullptr); }
CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, int *options, void **values) {
  return load(module, image, count, options, values);
}
CUresult cuModuleLoadFatBinary(CUmodule *module, const void *image) { return load(module, image, 0, nullptr, nullptr); }
CUresult cuModuleLoad(CUmodule *module, const char *path) {
  if (!path)
    return INVALID_VALUE;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return FILE_NOT_FOUND;
  std::string text((std::istreambuf_iterator<char>(file)), {});
  return text.size() < 8 ? INVALID_IMAGE : load(module, text.c_str(), 0, nullptr, nullptr);
}
CUresult cuModuleUnload(CUmodule module) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  for (FunctionObject &f : module->functions)
    died(&f);
  for (uint64_t a : module->allocations)
    module->context->device->memory->release(a);
  died(module);
  delete module;
  return SUCCESS;
}
CUresult cuModuleGetLoadingMode(int *mode) {
  if (!mode)
    return INVALID_VALUE;
  *mode = 1;
  return SUCCESS;
}
CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!function || !name)
    return INVALID_VALUE;
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  for (FunctionObject &f : module->functions)
    if (f.program->name == name) {
      *function = &f;
      return SUCCESS;
    }
  return NOT_FOUND;
}
CUresult cuModuleGetFunctionCount(unsigned *count, CUmodule module) {
  Guard hold(state().lock);
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  if (!count)
    return INVALID_VALUE;
  *count = unsigned(module->functions.size());
  return SUCCESS;
}
CUresult cuModuleEnumerateFunctions(CUfunction *functions, unsigned count, CUmodule module) {
  Guard hold(state().lock);
  if (!alive(module, moduleKind))
    return INVALID_HANDLE;
  if (!functions)
    return INVALID_VALUE;
  for (unsigned i = 0; i < count && i < module->functions.size(); ++i)
    functions[i] = &module->functions[i];
  return SUCCESS;
}
CUresult cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name) {
  Guard hold(state().lock);
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

CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!value)
    return INVALID_VALUE;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  const Program &p = *function->program;
  const ptx::Function &f = *p.function;
  const Chip &chip = *current()->device->chip;
  switch (attribute) {
  case 0:
    *value = int(mostThreads(p));
    if (f.maxThreads[0])
      *value = std::min(*value, int(f.maxThreads[0] * std::max(1u, f.maxThreads[1]) * std::max(1u, f.maxThreads[2])));
    break;
  case 1:
    *value = int(p.sharedBytes);
    break;
  case 2:
    *value = 0;
    break;
  case 3:
    *value = int(p.resources.stackBytes);
    break;
  case 4:
    *value = int(p.resources.registers);
    break;
  case 5:
    *value = int(function->module->ptx.version());
    break;
  case 6:
    *value = int(chip.arch);
    break;
  case 7:
    *value = 0;
    break;
  case 8:
    *value = int(function->maxDynamicShared);
    break;
  case 9:
    *value = -1;
    break;
  case 10:
    *value = f.cluster[0] != 0;
    break;
  case 11:
  case 12:
  case 13:
    *value = int(f.cluster[attribute - 11]);
    break;
  case 14:
    *value = function->nonPortableCluster;
    break;
  default:
    return INVALID_VALUE;
  }
  return SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  if (attribute == 8) {
    int64_t most = int64_t(current()->device->chip->limits.sharedPerBlockKiB) * 1024 - function->program->sharedBytes;
    if (value < 0 || value > most)
      return INVALID_VALUE;
    function->maxDynamicShared = uint32_t(value);
  } else if (attribute == 14) {
    function->nonPortableCluster = value != 0;
  } else if (attribute != 9 && attribute != 15) {
    return INVALID_VALUE;
  }
  return SUCCESS;
}
CUresult cuFuncSetCacheConfig(CUfunction function, int) {
  Guard hold(state().lock);
  return alive(function, functionKind) ? ready() : INVALID_HANDLE;
}
CUresult cuFuncGetModule(CUmodule *module, CUfunction function) {
  Guard hold(state().lock);
  if (!module)
    return INVALID_VALUE;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  *module = function->module;
  return SUCCESS;
}
CUresult cuFuncGetName(const char **name, CUfunction function) {
  Guard hold(state().lock);
  if (!name)
    return INVALID_VALUE;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  *name = function->program->name.c_str();
  return SUCCESS;
}
CUresult cuFuncGetParamInfo(CUfunction function, size_t index, size_t *offset, size_t *size) {
  Guard hold(state().lock);
  if (!offset)
    return INVALID_VALUE;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  const auto &parameters = function->program->parameters;
  if (index >= parameters.size())
    return INVALID_VALUE;
  *offset = parameters[index].offset;
  if (size)
    *size = parameters[index].size;
  return SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, CUstream stream, void **params, void **extra) {
  return launchAs({function, gx, gy, gz, bx, by, bz, shared, params, extra, nullptr, nullptr}, single, false, stream);
}
CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                   unsigned bz, unsigned shared, CUstream stream, void **params) {
  return launchAs({function, gx, gy, gz, bx, by, bz, shared, params, nullptr, nullptr, nullptr}, single, true, stream);
}
CUresult cuLaunchKernelEx(const LaunchConfig *c, CUfunction function, void **params, void **extra) {
  if (!c || (c->attributeCount && !c->attributes))
    return INVALID_VALUE;
  uint32_t cluster[3] = {1, 1, 1};
  bool cooperative = false;
  for (unsigned i = 0; i < c->attributeCount; ++i) {
    if (c->attributes[i].id == 4)
      for (int k = 0; k < 3; ++k)
        cluster[k] = c->attributes[i].value.cluster[k];
    if (c->attributes[i].id == 2)
      cooperative = c->attributes[i].value.number != 0;
  }
  return launchAs({function, c->gridX, c->gridY, c->gridZ, c->blockX, c->blockY, c->blockZ, c->sharedBytes, params,
                   extra, nullptr, nullptr},
                  cluster, cooperative, c->stream);
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction function, int threads,
                                                              size_t shared, unsigned) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!blocks || threads <= 0)
    return INVALID_VALUE;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  *blocks = int(occupancyOf(*function->program, *current()->device->chip, uint32_t(threads), shared).blocksPerSm);
  return SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int threads, size_t shared) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, shared, 0);
}
CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *grid, int *block, CUfunction function, size_t (*sharedOf)(int),
                                                   size_t shared, int limit, unsigned) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!grid || !block)
    return INVALID_VALUE;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  const Chip &chip = *current()->device->chip;
  uint32_t best = 0;
  for (int threads = 32; threads <= (limit > 0 ? limit : 1024) && threads <= 1024; threads += 32) {
    size_t bytes = sharedOf ? sharedOf(threads) : shared;
    const uint32_t fit = occupancyOf(*function->program, chip, uint32_t(threads), bytes).blocksPerSm;
    if (fit * uint32_t(threads) >= best && fit) {
      best = fit * uint32_t(threads);
      *block = threads;
      *grid = int(fit * chip.sms);
    }
  }
  return best ? SUCCESS : LAUNCH_OUT_OF_RESOURCES;
}
CUresult cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction function, size_t (*sharedOf)(int),
                                          size_t shared, int limit) {
  return cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, function, sharedOf, shared, limit, 0);
}
CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, CUfunction function, int blocks, int) {
  Guard hold(state().lock);
  if (CUresult r = ready())
    return r;
  if (!bytes || blocks <= 0)
    return INVALID_VALUE;
  if (!alive(function, functionKind))
    return INVALID_HANDLE;
  const ChipLimits &limits = current()->device->chip->limits;
  size_t each = size_t(limits.sharedPerSmKiB) * 1024 / size_t(blocks), used = function->program->dynamicSharedOffset;
  each = std::min(each, size_t(limits.sharedPerBlockKiB) * 1024);
  *bytes = each > used ? each - used : 0;
  return SUCCESS;
}
}
#pragma GCC visibility pop
