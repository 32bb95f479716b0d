// Buffer: a typed, contiguous tensor in a device's memory, owned or a view of somebody else's.
#pragma once
#include "base/dtype.h"
#include "runtime/driver/driver.h"
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tessera {

class Stream;

using Shape = std::vector<int64_t>;
std::string toString(const Shape &shape); // "[9, 64]"

// Bytes of a contiguous tensor; a packed format wants [rows, columns] and counts its panels (base/dtype.h). Errors:
// negative or overflowing sizes, a packed tensor of another rank or with columns that are no multiple of the block.
Result<int64_t> bytesOf(DType dtype, const Shape &shape);

// A handle: copies share the memory, which lives as long as one of them (a view of host memory lives as long as its
// owner keeps it). Row-major, packed formats in panels. Handles are not synchronised; the memory is the launches'
// affair.
class Buffer {
public:
  Buffer() = default;

  DType dtype() const { return elements; }
  const Shape &shape() const { return sizes; }
  int64_t bytes() const { return byteCount; }
  bool readOnly() const { return isReadOnly; }
  void *data() const { return memory.get(); } // null only for a default-constructed buffer
  driver::Driver *device() const { return owner.get(); }
  explicit operator bool() const { return owner != nullptr; }

  // `count` rows from `begin` along the first axis, sharing the memory; rows of a packed format come in whole panels.
  Result<Buffer> slice(int64_t begin, int64_t count) const;
  // The same bytes under another shape of equally many elements (the same rows and columns for a packed format).
  Result<Buffer> reshape(Shape shape) const;
  // A tensor of another type and shape at `offset` bytes into this one.
  Result<Buffer> view(int64_t offset, DType dtype, Shape shape) const;
  Buffer asReadOnly() const;

  // Copies of the whole contents; `bytes` must equal bytes(). After a launch, synchronize the stream first.
  Status copyFrom(const void *host, int64_t bytes) const;
  Status copyTo(void *host, int64_t bytes) const;

  // The same in the stream's order, without waiting for it: the host memory must stay until the stream was
  // synchronized.
  Status copyFrom(const Stream &stream, const void *host, int64_t bytes) const;
  Status copyTo(const Stream &stream, void *host, int64_t bytes) const;

  // The elements in place, where the device's memory is the host's (a CPU) and T has the element's size; else empty.
  template <class T> std::span<T> host() const {
    if (!owner || !owner->hostVisible() || info(elements).bits != int(sizeof(T)) * 8)
      return {};
    return {static_cast<T *>(data()), size_t(byteCount) / sizeof(T)};
  }

private:
  friend class Device;
  std::shared_ptr<driver::Driver> owner;
  std::shared_ptr<void> memory;
  DType elements = f32;
  Shape sizes;
  int64_t byteCount = 0;
  bool isReadOnly = false;
};

} // namespace tessera
