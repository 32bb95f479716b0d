// Launching: what the driver refuses before a kernel runs, and what a finding makes of the context.
#include "runtime/vgpu/driver/state.h"
#include <cstdio>
#include <cstring>

namespace tessera::vgpu::driver {
namespace {
CUresult codeOf(Fault fault) {
  switch (fault) {
  case Fault::bounds:
  case Fault::useAfterFree:
    return ILLEGAL_ADDRESS;
  case Fault::misaligned:
    return MISALIGNED_ADDRESS;
  case Fault::assertion:
    return ASSERT;
  case Fault::illegal:
    return ILLEGAL_INSTRUCTION;
  case Fault::deadlock:
    return LAUNCH_TIMEOUT;
  default:
    return LAUNCH_FAILED;
  }
}
} // namespace

CUresult packArguments(const FunctionObject &function, void **kernelParams, void **extra, std::vector<uint8_t> &into) {
  const Program &program = *function.program;
  into.assign(program.parameterBytes, 0);
  if (program.parameters.empty())
    return SUCCESS;
  if (kernelParams) {
    for (size_t i = 0; i < program.parameters.size(); ++i) {
      if (!kernelParams[i])
        return INVALID_VALUE;
      std::memcpy(into.data() + program.parameters[i].offset, kernelParams[i], program.parameters[i].size);
    }
    return SUCCESS;
  }
  const void *buffer = nullptr;
  size_t size = 0;
  for (size_t i = 0; extra && extra[i] && i < 16; i += 2) {
    if (reinterpret_cast<uintptr_t>(extra[i]) == 1)
      buffer = extra[i + 1];
    else if (reinterpret_cast<uintptr_t>(extra[i]) == 2 && extra[i + 1])
      size = *static_cast<size_t *>(extra[i + 1]);
    else
      return INVALID_VALUE;
  }
  if (!buffer || size < into.size())
    return INVALID_VALUE;
  std::memcpy(into.data(), buffer, into.size());
  return SUCCESS;
}

uint32_t mostClusterBlocks(const FunctionObject &function) { return function.nonPortableCluster ? 16 : 8; }

CUresult validateLaunch(const FunctionObject &function, const KernelNodeParams &s, const uint32_t *cluster,
                        bool cooperative) {
  const Program &program = *function.program;
  const Chip &chip = *function.module->context->device->chip;
  const ptx::Function &f = *program.function;
  if (!s.gridX || !s.gridY || !s.gridZ || !s.blockX || !s.blockY || !s.blockZ)
    return INVALID_VALUE;
  if (s.gridX > 0x7fffffff || s.gridY > 65535 || s.gridZ > 65535 || s.blockX > 1024 || s.blockY > 1024 || s.blockZ > 64)
    return INVALID_VALUE;
  uint64_t threads = uint64_t(s.blockX) * s.blockY * s.blockZ;
  if (threads > 1024)
    return INVALID_VALUE;
  if (f.maxThreads[0] &&
      threads > uint64_t(f.maxThreads[0]) * std::max(1u, f.maxThreads[1]) * std::max(1u, f.maxThreads[2]))
    return INVALID_VALUE;
  if (f.requiredThreads[0] &&
      (s.blockX != f.requiredThreads[0] || s.blockY != f.requiredThreads[1] || s.blockZ != f.requiredThreads[2]))
    return INVALID_VALUE;
  if (program.sharedBytes > 49152 || s.sharedBytes > function.maxDynamicShared ||
      (s.sharedBytes + program.dynamicSharedOffset > 49152 && function.maxDynamicShared <= 49152) ||
      uint64_t(program.dynamicSharedOffset) + s.sharedBytes > uint64_t(chip.limits.sharedPerBlockKiB) * 1024)
    return INVALID_VALUE;
  uint64_t size = uint64_t(cluster[0]) * cluster[1] * cluster[2];
  if (size == 0 || s.gridX % cluster[0] || s.gridY % cluster[1] || s.gridZ % cluster[2])
    return INVALID_VALUE;
  if (size > 1 && (chip.arch < 90 || size > mostClusterBlocks(function)))
    return INVALID_CLUSTER_SIZE;
  const uint32_t fit = occupancyOf(program, chip, uint32_t(threads), s.sharedBytes).blocksPerSm;
  if (!fit)
    return LAUNCH_OUT_OF_RESOURCES;
  if (cooperative && uint64_t(s.gridX) * s.gridY * s.gridZ > uint64_t(fit) * chip.sms)
    return COOPERATIVE_LAUNCH_TOO_LARGE;
  return SUCCESS;
}

CUresult launch(FunctionObject &function, const KernelNodeParams &s, const uint32_t *cluster, bool cooperative,
                const std::vector<uint8_t> &arguments, StreamObject &stream) {
  State &all = state();
  ContextObject &context = *stream.context;
  if (context.sticky != SUCCESS)
    return context.sticky;
  Device &device = *context.device;
  Launch run;
  run.program = function.program.get();
  run.chip = device.chip;
  run.memory = device.memory.get();
  run.options = all.options;
  run.grid[0] = s.gridX, run.grid[1] = s.gridY, run.grid[2] = s.gridZ;
  run.block[0] = s.blockX, run.block[1] = s.blockY, run.block[2] = s.blockZ;
  for (int k = 0; k < 3; ++k)
    run.cluster[k] = cluster[k];
  run.dynamicShared = s.sharedBytes;
  run.cooperative = cooperative;
  run.parameters = arguments;
  if (cooperative) {
    if (!device.gridWorkspace)
      device.gridWorkspace = device.memory->allocate(4096);
    run.gridWorkspace = device.gridWorkspace;
    std::memset(reinterpret_cast<void *>(run.gridWorkspace), 0, 4096);
  }
  Report report = runLaunch(run);
  stream.clockUs += report.modelledUs;
  all.report = describe(run, report);
  device.report = reportJson(run, report);
  all.findings.clear();
  for (const Finding &f : run.findings)
    all.findings += f.text() + "\n";
  device.findings = all.findings;
  if (run.findings.empty())
    return SUCCESS;
  if (!all.quiet && !device.claimed)
    std::fprintf(stderr, "tessera virtual GPU: %s", all.findings.c_str());
  return context.sticky = codeOf(run.findings[0].fault);
}

} // namespace tessera::vgpu::driver
