#include "runtime/model/mapped_file.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tessera::model {

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string &path) {
  if (path.find('\0') != std::string::npos)
    return invalidArgument("the file name holds a NUL character");
  // O_NONBLOCK: opening a FIFO must not wait for a writer.
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0)
    return ioError(path + ": cannot be opened: " + std::strerror(errno));
  struct stat status;
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0) {
    const char *what = S_ISDIR(status.st_mode)   ? "is a directory, not a file"
                       : S_ISREG(status.st_mode) ? "the file is empty"
                                                 : "is not a regular file";
    ::close(file);
    return ioError(path + ": " + what);
  }
  size_t size = size_t(status.st_size);
  void *data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
  int mapError = errno;
  ::close(file);
  if (data == MAP_FAILED)
    return ioError(path + ": cannot be mapped: " + std::strerror(mapError));
  return std::shared_ptr<const MappedFile>(new MappedFile(static_cast<const std::byte *>(data), size));
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::byte *>(data), size); }

} // namespace tessera::model
