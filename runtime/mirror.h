// Mirror: a tensor that the host and a device both work with: the same memory where the device's is the host's, else a
// buffer and page-locked host memory of the same size.
#pragma once
#include "runtime/device.h"

namespace tessera {

// A handle; copies share both memories. One thread at a time. What one side wrote the other sees after the copy below
// and, of the host, after the stream was synchronized.
class Mirror {
public:
  Mirror() = default;
  static Result<Mirror> make(const Device &device, DType dtype, Shape shape);

  const Buffer &buffer() const { return onDevice; }
  // The host's side; empty where T has not the element's size.
  template <class T> std::span<T> host() const {
    if (!memory || info(onDevice.dtype()).bits != int(sizeof(T)) * 8)
      return {};
    return {static_cast<T *>(memory.get()), size_t(onDevice.bytes()) / sizeof(T)};
  }

  // In the stream's order, nothing where there is one memory only. Can be recorded.
  Status toDevice(const Stream &stream) const;
  Status toHost(const Stream &stream) const;

private:
  bool isShared() const { return memory.get() == onDevice.data(); }
  Buffer onDevice;
  std::shared_ptr<void> memory;
};

} // namespace tessera
