// MappedFile: the bytes of one regular file, mapped read-only.
#pragma once
#include "base/result.h"
#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace tessera::model {

// Immutable and thread-safe. The bytes live until the last shared pointer goes; the file must not shrink meanwhile.
class MappedFile {
public:
  // Errors name the file: it is missing, unreadable, a directory or another non-file, or empty.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string &path);
  ~MappedFile();
  MappedFile(const MappedFile &) = delete;
  MappedFile &operator=(const MappedFile &) = delete;

  std::span<const std::byte> bytes() const { return {data, size}; }

private:
  MappedFile(const std::byte *data, size_t size) : data(data), size(size) {}
  const std::byte *data;
  size_t size;
};

} // namespace tessera::model
