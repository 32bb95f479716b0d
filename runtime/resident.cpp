#include "runtime/resident.h"
#include <cstdint>
#include <fcntl.h>
#include <fstream>
#include <sstream>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace tessera {

namespace {

// Bits of an entry of /proc/self/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst).
constexpr uint64_t present = uint64_t(1) << 63, ofFile = uint64_t(1) << 61;
constexpr uintptr_t large = 1 << 20;

// A written page of a private mapping (a relocated table) is no page of the file any more, and stays.
void release(uintptr_t begin, uintptr_t end, int pagemap) {
  uintptr_t page = uintptr_t(sysconf(_SC_PAGESIZE));
  std::vector<uint64_t> entries((end - begin) / page);
  ssize_t bytes = ssize_t(entries.size() * sizeof(uint64_t));
  if (pread(pagemap, entries.data(), size_t(bytes), off_t(begin / page * sizeof(uint64_t))) != bytes)
    return;
  for (size_t i = 0; i < entries.size();) {
    size_t first = i;
    while (i < entries.size() && (entries[i] & present) && (entries[i] & ofFile))
      ++i;
    if (i > first)
      madvise(reinterpret_cast<void *>(begin + first * page), (i - first) * page, MADV_DONTNEED);
    else
      ++i;
  }
}

} // namespace

void releaseLibraryPages() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
  int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (pagemap < 0)
    return;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    uintptr_t begin = 0, end = 0;
    char dash;
    std::string access, offset, device, inode, path;
    fields >> std::hex >> begin >> dash >> end >> access >> offset >> device >> inode >> path;
    bool readOnlyPrivate = access.size() == 4 && access[1] == '-' && access[3] == 'p';
    if (readOnlyPrivate && path.find(".so") != path.npos && end - begin >= large)
      release(begin, end, pagemap);
  }
  close(pagemap);
}

} // namespace tessera
