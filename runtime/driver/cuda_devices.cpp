// Which NVIDIA devices, real and virtual, can be opened now.
#include "runtime/driver/cuda_library.h"
#include "runtime/driver/driver.h"

namespace tessera::driver {

namespace {
int attribute(const CudaApi &api, int which, CuDevice device) {
  int value = 0;
  api.deviceGetAttribute(&value, which, device);
  return value;
}

std::string versionText(const CudaApi &api) {
  int version = 0; // 1000 * major + 10 * minor
  api.driverGetVersion(&version);
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}
} // namespace

int capability(const CudaApi &api, CuDevice device) {
  return attribute(api, cuCapabilityMajor, device) * 10 + attribute(api, cuCapabilityMinor, device);
}

std::vector<CudaDevice> listCuda() {
  std::vector<CudaDevice> list;
  if (Result<const CudaLibrary *> real = realCuda()) {
    const CudaApi &api = (*real)->api;
    int count = 0;
    api.deviceGetCount(&count);
    for (int i = 0; i < count; ++i) {
      CuDevice device = 0;
      char text[256] = "";
      size_t memory = 0;
      api.deviceGet(&device, i);
      api.deviceGetName(text, sizeof(text), device);
      api.deviceTotalMem(&memory, device);
      list.push_back({"cuda:" + std::to_string(i), text, "CUDA driver " + versionText(api), capability(api, device),
                      attribute(api, cuMultiprocessors, device), int64_t(memory),
                      attribute(api, cuSharedBytesPerBlockOptIn, device), (*real)->isVirtual()});
    }
  }
  if (Result<const CudaLibrary *> library = virtualCuda())
    for (const VirtualChip &chip : virtualChips(**library))
      list.push_back({"virtual:" + chip.id, chip.name, "virtual GPU, CUDA " + versionText((*library)->api), chip.arch,
                      chip.multiprocessors, chip.memoryBytes, chip.sharedBytes, true});
  return list;
}

} // namespace tessera::driver
