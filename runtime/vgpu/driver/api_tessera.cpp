// Entry points of our own, beside the vendor's: chips by name, and what a launch has to tell.
#include "runtime/vgpu/driver/state.h"
#include <algorithm>
#include <cstring>

using namespace tessera::vgpu;
using namespace tessera::vgpu::driver;

namespace {
// As snprintf: the whole length, and as much as fits, with a zero at its end.
size_t give(const std::string &text, char *buffer, size_t size) {
  if (buffer && size) {
    size_t n = std::min(size - 1, text.size());
    std::memcpy(buffer, text.data(), n);
    buffer[n] = 0;
  }
  return text.size();
}

size_t giveOf(int device, std::string Device::*text, char *buffer, size_t size) {
  State &s = state();
  Guard hold;
  bool known = device >= 0 && size_t(device) < s.devices.size();
  return give(known ? s.devices[size_t(device)].*text : std::string(), buffer, size);
}
} // namespace

#pragma GCC visibility push(default)
extern "C" {

// A line a chip: id, name, compute capability times ten, SMs, bytes of memory, bytes of shared memory that a block can
// have, separated by tabs. Static.
const char *tesseraVgpuChips() {
  static const std::string *text = [] {
    auto *all = new std::string;
    for (const Chip &c : chips())
      *all += std::string(c.id) + "\t" + std::string(c.name) + "\t" + std::to_string(c.arch) + "\t" +
              std::to_string(c.sms) + "\t" + std::to_string(c.memoryMiB << 20) + "\t" +
              std::to_string(c.limits.sharedPerBlockKiB << 10) + "\n";
    return all;
  }();
  return text->c_str();
}

// Launches from now on run their warps in the order of this seed (TESSERA_VGPU_SCHEDULE=random:SEED), or, with 0, in
// the fixed order. CUDA_SUCCESS, or CUDA_ERROR_NOT_INITIALIZED before cuInit.
CUresult tesseraVgpuSchedule(uint64_t seed) {
  State &s = state();
  Guard hold;
  if (!s.initialised)
    return NOT_INITIALIZED;
  s.options.randomSchedule = seed != 0;
  s.options.seed = seed;
  return SUCCESS;
}

// A device of that chip for the caller alone, beside those of cuInit, until its primary context is released. Starts the
// driver where cuInit has not been called; TESSERA_VGPU is not read.
CUresult tesseraVgpuOpenChip(const char *id, int *ordinal) {
  State &s = state();
  Guard hold;
  const Chip *chip = id ? chipNamed(id) : nullptr;
  if (!chip || !ordinal)
    return INVALID_VALUE;
  if (!s.initialised)
    if (CUresult r = initialise())
      return r;
  Device *device = nullptr;
  for (Device &d : s.devices) // one that was claimed before and given back: as good as new with new memory
    if (d.chip == chip && d.reusable && !d.claimed && !d.primary)
      device = &d;
  if (device) {
    device->memory.reset(); // before the new one asks for the same addresses
    device->memory = std::make_unique<Memory>(chip->memoryMiB << 20, uint32_t(device->ordinal));
    device->memory->trackWrites = s.options.checkGlobalInit;
    device->gridWorkspace = 0;
  } else {
    device = &addDevice(*chip);
  }
  if (!device->memory->capacity())
    return OUT_OF_MEMORY; // the process has no addresses left for it
  device->claimed = device->reusable = true;
  device->findings.clear();
  device->report.clear();
  *ordinal = device->ordinal;
  return SUCCESS;
}

// The findings of the device's last launch as text, empty where it had none.
size_t tesseraVgpuLastFindings(int device, char *buffer, size_t size) {
  return giveOf(device, &Device::findings, buffer, size);
}
// Its report as JSON (reportJson), empty before the first launch.
size_t tesseraVgpuLastReport(int device, char *buffer, size_t size) {
  return giveOf(device, &Device::report, buffer, size);
}
}
#pragma GCC visibility pop
