// Device: one chip that can run kernels now; the owner of its memory and threads.
#pragma once
#include "base/result.h"
#include "base/target.h"
#include "runtime/buffer.h"
#include "runtime/driver/driver.h"
#include "runtime/stream.h"
#include <memory>
#include <string_view>

namespace tessera {

struct DeviceOptions {
  int threads = 0; // of a CPU device, the caller among them; 0 = one a hardware thread
};

// A handle: copies are the same device, which lives as long as a handle, buffer, stream or kernel of it. Thread-safe.
class Device {
public:
  // `name`: "cpu", or a row of base/targets.cpp ("cpu-avx2") that this machine can run; "cuda:N", a device of the
  // machine's CUDA driver; "virtual:t4", "virtual:h100", ..., a GPU in software.
  static Result<Device> open(std::string_view name, const DeviceOptions &options = {});

  const Target &target() const { return handle->target(); }
  int threads() const; // 1 on a GPU
  driver::Driver &impl() const { return *handle; }

  // Owned memory with unspecified contents, at least 64-byte aligned. Errors: bad shapes, no memory left.
  Result<Buffer> alloc(DType dtype, Shape shape) const;
  // A copy of host elements of `dtype`.
  template <class T> Result<Buffer> upload(DType dtype, Shape shape, std::span<const T> values) const {
    Buffer buffer = TESSERA_TRY(alloc(dtype, std::move(shape)));
    TESSERA_TRY(buffer.copyFrom(values.data(), int64_t(values.size_bytes())));
    return buffer;
  }
  // A view of host memory that the caller keeps alive; needs a device whose memory is the host's.
  Result<Buffer> view(DType dtype, Shape shape, std::span<std::byte> memory) const;
  Result<Buffer> view(DType dtype, Shape shape, std::span<const std::byte> memory) const; // read-only

  // Host memory that the device copies from and to without a detour (page-locked on a GPU), of unspecified contents.
  Result<std::shared_ptr<void>> hostMemory(int64_t bytes) const;

  // A new in-order queue of launches. On a CPU a launch has finished when it returns.
  Result<Stream> stream() const;

private:
  friend class Engine;
  friend class LoadedKernel;
  explicit Device(std::shared_ptr<driver::Driver> handle) : handle(std::move(handle)) {}
  std::shared_ptr<driver::Driver> handle;
};

} // namespace tessera
