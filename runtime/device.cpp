#include "runtime/device.h"
#include "runtime/driver/thread_pool.h"

namespace tessera {

Result<Device> Device::open(std::string_view name, const DeviceOptions &options) {
  if (options.threads < 0)
    return invalidArgument("a device cannot have " + std::to_string(options.threads) + " threads");
  if (name == "cuda" || name.starts_with("cuda:") || name.starts_with("virtual:"))
    return Device(std::shared_ptr<driver::Driver>(TESSERA_TRY(driver::openCuda(name))));
  return Device(std::shared_ptr<driver::Driver>(TESSERA_TRY(driver::openCpu(name, options.threads))));
}

int Device::threads() const {
  ThreadPool *pool = handle->threadPool();
  return pool ? pool->threads() : 1;
}

Result<Buffer> Device::alloc(DType dtype, Shape shape) const {
  Buffer buffer;
  buffer.byteCount = TESSERA_TRY(bytesOf(dtype, shape));
  void *memory = TESSERA_TRY(handle->alloc(buffer.byteCount));
  buffer.owner = handle;
  buffer.memory = std::shared_ptr<void>(memory, [handle = handle](void *p) { handle->free(p); });
  buffer.elements = dtype;
  buffer.sizes = std::move(shape);
  return buffer;
}

Result<Buffer> Device::view(DType dtype, Shape shape, std::span<std::byte> memory) const {
  if (!handle->hostVisible())
    return unsupported(std::string(target().name) + " cannot use host memory in place");
  int64_t bytes = TESSERA_TRY(bytesOf(dtype, shape));
  if (uint64_t(bytes) != memory.size())
    return invalidArgument("a view as " + std::string(name(dtype)) + " " + toString(shape) + " takes " +
                           std::to_string(bytes) + " bytes, not " + std::to_string(memory.size()));
  Buffer buffer;
  buffer.owner = handle;
  buffer.memory = std::shared_ptr<void>(std::shared_ptr<void>(), memory.data());
  buffer.elements = dtype;
  buffer.sizes = std::move(shape);
  buffer.byteCount = bytes;
  return buffer;
}

Result<Buffer> Device::view(DType dtype, Shape shape, std::span<const std::byte> memory) const {
  std::span<std::byte> writable(const_cast<std::byte *>(memory.data()), memory.size());
  return TESSERA_TRY(view(dtype, std::move(shape), writable)).asReadOnly();
}

Result<std::shared_ptr<void>> Device::hostMemory(int64_t bytes) const {
  void *memory = TESSERA_TRY(handle->allocHost(bytes));
  return std::shared_ptr<void>(memory, [handle = handle](void *p) { handle->freeHost(p); });
}

Result<Stream> Device::stream() const {
  Stream stream;
  stream.owner = handle;
  driver::Queue queue = TESSERA_TRY(handle->openQueue());
  stream.queue =
      std::shared_ptr<driver::QueueObject>(queue, [handle = handle](driver::Queue q) { handle->closeQueue(q); });
  return stream;
}

} // namespace tessera
