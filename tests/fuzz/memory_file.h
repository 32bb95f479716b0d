// MemoryFile: bytes behind a path, without a disk: the readers map files, and a fuzzer has only bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace tessera::test {

class MemoryFile {
public:
  MemoryFile(const uint8_t *bytes, size_t size) : file(::memfd_create("fuzz", MFD_CLOEXEC)) {
    while (size > 0) {
      ssize_t written = ::write(file, bytes, size);
      if (written <= 0)
        break;
      bytes += written;
      size -= size_t(written);
    }
  }
  ~MemoryFile() { ::close(file); }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;
  std::string path() const { return "/proc/self/fd/" + std::to_string(file); }

private:
  int file;
};

} // namespace tessera::test
