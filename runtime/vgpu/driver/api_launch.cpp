// Entry points: launches and occupancy.
#include "runtime/vgpu/driver/work.h"
#include <algorithm>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
// CUlaunchAttributeID, as far as it changes what a launch does; the other known ones are hints.
constexpr int attributeCooperative = 2, attributeCluster = 4, attributeEvent = 7, attributePriority = 8,
              attributeCompletion = 12, attributeUpdatable = 13, lastAttribute = 16;

CUresult launchAs(const KernelNodeParams &shape, KernelWork work, CUstream stream) {
  if (CUresult r = ready())
    return r;
  if (!streamOf(stream))
    return INVALID_HANDLE;
  if (CUresult r = kernelWork(shape, work))
    return r;
  return submit(stream, std::move(work));
}

// The event that a launch records, if any.
CUresult readAttributes(const LaunchConfig &c, KernelWork &work, CUevent &event) {
  if (c.attributeCount && !c.attributes)
    return INVALID_VALUE;
  for (unsigned i = 0; i < c.attributeCount; ++i) {
    const LaunchAttribute &a = c.attributes[i];
    if (a.id < 0 || a.id > lastAttribute)
      return INVALID_VALUE;
    if (a.id == attributeUpdatable && a.value.number)
      return NOT_SUPPORTED; // kernels that change graphs
    if (a.id == attributeCluster)
      std::copy_n(a.value.cluster, 3, work.cluster);
    if (a.id == attributeCooperative)
      work.cooperative = a.value.number != 0;
    if (a.id == attributePriority)
      work.priority = a.value.number;
    if (a.id == attributeEvent || a.id == attributeCompletion) {
      event = a.value.event;
      if (event && !alive(event, eventKind))
        return INVALID_HANDLE;
    }
  }
  return SUCCESS;
}

KernelNodeParams shapeOf(const LaunchConfig &c, CUfunction function, void **params, void **extra) {
  return {function, c.gridX, c.gridY, c.gridZ, c.blockX, c.blockY, c.blockZ, c.sharedBytes, params, extra};
}

CUresult fitting(CUfunction handle, int threads, size_t shared, FunctionObject *&function, int &blocks) {
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  if (threads <= 0)
    return INVALID_VALUE;
  blocks = int(occupancyOf(*function->program, *current()->device->chip, uint32_t(threads), shared).blocksPerSm);
  return SUCCESS;
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

CUresult cuLaunchKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                        unsigned bz, unsigned shared, CUstream stream, void **params, void **extra) {
  Guard hold;
  return launchAs({function, gx, gy, gz, bx, by, bz, shared, params, extra}, {}, stream);
}
CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                                   unsigned bz, unsigned shared, CUstream stream, void **params) {
  Guard hold;
  KernelWork work;
  work.cooperative = true;
  return launchAs({function, gx, gy, gz, bx, by, bz, shared, params, nullptr}, std::move(work), stream);
}
CUresult cuLaunchKernelEx(const LaunchConfig *c, CUfunction function, void **params, void **extra) {
  Guard hold;
  KernelWork work;
  CUevent event = nullptr;
  if (CUresult r = ready())
    return r;
  if (!c)
    return INVALID_VALUE;
  if (CUresult r = readAttributes(*c, work, event))
    return r;
  if (CUresult r = launchAs(shapeOf(*c, function, params, extra), std::move(work), c->stream))
    return r;
  return event ? submit(c->stream, RecordWork{event}) : SUCCESS;
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction handle, int threads,
                                                              size_t shared, unsigned flags) {
  Guard hold;
  FunctionObject *function = nullptr;
  int fit = 0;
  if (CUresult r = fitting(handle, threads, shared, function, fit))
    return r;
  if (!blocks || flags > 1)
    return INVALID_VALUE;
  *blocks = fit;
  return SUCCESS;
}
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int threads, size_t shared) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, threads, shared, 0);
}
CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int *grid, int *block, CUfunction handle, size_t (*sharedOf)(int),
                                                   size_t shared, int limit, unsigned flags) {
  Guard hold;
  FunctionObject *function = nullptr;
  int most = 0;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  if (!grid || !block || flags > 1 || limit < 0)
    return INVALID_VALUE;
  functionAttribute(*function, 0, most);
  if (limit > 0)
    most = std::min(most, limit);
  int best = 0;
  for (int threads = std::min(32, most); threads <= most; threads += 32) {
    int fit = 0;
    size_t bytes = shared;
    if (sharedOf) {
      Unlocked others;
      bytes = sharedOf(threads);
    }
    if (CUresult r = fitting(handle, threads, bytes, function, fit))
      return r;
    if (fit && fit * threads >= best) {
      best = fit * threads;
      *block = threads;
      *grid = fit * int(current()->device->chip->sms);
    }
  }
  return best ? SUCCESS : LAUNCH_OUT_OF_RESOURCES;
}
CUresult cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction function, size_t (*sharedOf)(int),
                                          size_t shared, int limit) {
  return cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, function, sharedOf, shared, limit, 0);
}
CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t *bytes, CUfunction handle, int blocks, int threads) {
  Guard hold;
  FunctionObject *function = nullptr;
  int fit = 0;
  if (CUresult r = fitting(handle, threads, 0, function, fit))
    return r;
  if (!bytes || blocks <= 0)
    return INVALID_VALUE;
  const ChipLimits &limits = current()->device->chip->limits;
  const size_t reserved = current()->device->chip->arch >= 80 ? 1024 : 0, used = function->program->dynamicSharedOffset;
  size_t each = size_t(limits.sharedPerSmKiB) * 1024 / size_t(blocks);
  each = std::min(each > reserved ? each - reserved : 0, size_t(limits.sharedPerBlockKiB) * 1024);
  *bytes = each > used ? each - used : 0;
  return SUCCESS;
}
CUresult cuOccupancyMaxPotentialClusterSize(int *size, CUfunction handle, const LaunchConfig *config) {
  Guard hold;
  FunctionObject *function = nullptr;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  if (!size || !config)
    return INVALID_VALUE;
  if (current()->device->chip->arch < 90)
    return INVALID_CLUSTER_SIZE;
  *size = int(mostClusterBlocks(*function));
  return SUCCESS;
}
CUresult cuOccupancyMaxActiveClusters(int *count, CUfunction handle, const LaunchConfig *config) {
  Guard hold;
  FunctionObject *function = nullptr;
  KernelWork work;
  CUevent event = nullptr;
  int fit = 0;
  if (CUresult r = ready())
    return r;
  if (CUresult r = functionOf(handle, function))
    return r;
  if (!count || !config)
    return INVALID_VALUE;
  if (CUresult r = readAttributes(*config, work, event))
    return r;
  const uint64_t blocks = uint64_t(work.cluster[0]) * work.cluster[1] * work.cluster[2];
  const uint64_t threads = uint64_t(config->blockX) * config->blockY * config->blockZ;
  if (!blocks || blocks > mostClusterBlocks(*function) || current()->device->chip->arch < 90)
    return INVALID_CLUSTER_SIZE;
  if (threads == 0 || threads > 1024)
    return INVALID_VALUE;
  if (CUresult r = fitting(handle, int(threads), config->sharedBytes, function, fit))
    return r;
  *count = int(uint64_t(fit) * current()->device->chip->sms / blocks);
  return SUCCESS;
}
}
#pragma GCC visibility pop
