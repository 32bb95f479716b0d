#include "runtime/decode/page_allocator.h"
#include <cassert>
#include <string>

namespace tessera::decode {

PageAllocator::PageAllocator(int64_t pages) : owners(size_t(pages), 0) {
  for (int64_t page = pages; page-- > 0;)
    unused.push_back(int32_t(page));
}

Result<int32_t> PageAllocator::take() {
  if (unused.empty())
    return deviceError("the KV pool is exhausted: all of its " + std::to_string(pages()) + " pages are in use");
  int32_t page = unused.back();
  unused.pop_back();
  owners[size_t(page)] = 1;
  return page;
}

void PageAllocator::share(int32_t page) {
  assert(owners[size_t(page)] > 0);
  ++owners[size_t(page)];
}

void PageAllocator::release(int32_t page) {
  assert(owners[size_t(page)] > 0);
  if (--owners[size_t(page)] == 0)
    unused.push_back(page);
}

} // namespace tessera::decode
