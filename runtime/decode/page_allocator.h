// PageAllocator: which pages of a KV pool are free, and how many sequences share each of the others.
#pragma once
#include "base/result.h"
#include <cstdint>
#include <vector>

namespace tessera::decode {

// Pages are numbered from 0. Not thread-safe. Takes the most recently freed page first, so its cache lines are warm.
class PageAllocator {
public:
  explicit PageAllocator(int64_t pages);

  int64_t pages() const { return int64_t(owners.size()); }
  int64_t freePages() const { return int64_t(unused.size()); }
  int references(int32_t page) const { return owners[size_t(page)]; }

  // A page with one reference. Error (device): all pages are in use.
  Result<int32_t> take();
  // One more, or one fewer, reference to a page that has at least one; the last release frees it.
  void share(int32_t page);
  void release(int32_t page);

private:
  std::vector<int> owners;     // references, by page
  std::vector<int32_t> unused; // a stack
};

} // namespace tessera::decode
