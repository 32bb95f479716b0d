#include "runtime/mirror.h"

namespace tessera {

Result<Mirror> Mirror::make(const Device &device, DType dtype, Shape shape) {
  Mirror mirror;
  mirror.onDevice = TESSERA_TRY(device.alloc(dtype, std::move(shape)));
  if (device.impl().hostVisible()) {
    mirror.memory = {std::shared_ptr<void>(), mirror.onDevice.data()};
    return mirror;
  }
  mirror.memory = TESSERA_TRY(device.hostMemory(mirror.onDevice.bytes()));
  return mirror;
}

Status Mirror::toDevice(const Stream &stream) const {
  return isShared() ? Status() : onDevice.copyFrom(stream, memory.get(), onDevice.bytes());
}

Status Mirror::toHost(const Stream &stream) const {
  return isShared() ? Status() : onDevice.copyTo(stream, memory.get(), onDevice.bytes());
}

} // namespace tessera
