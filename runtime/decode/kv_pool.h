// KvPool: the paged cache of keys and values of all layers, and the sequences that own its pages.
#pragma once
#include "runtime/decode/page_allocator.h"
#include "runtime/device.h"
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tessera::decode {

// One page holds `pageSize` positions of one sequence in every layer.
struct KvShape {
  int64_t layers, kvHeads, headDim;
  int64_t pages, pageSize;
  bool keyColumns = false; // a page of K holds [headDim, pageSize]; else [pageSize, headDim], as V does
  DType dtype = f16;
};

// The positions of one sequence: position p lies in page pages()[p / pageSize] at offset p % pageSize. Gives its pages
// back when it dies. Movable; may outlive its pool.
class KvSequence {
public:
  int64_t length() const { return count; }
  std::span<const int32_t> pages() const { return table; }

  // Makes room for `count` more positions and writes their slots (page * pageSize + offset) to `slots`. Where the pool
  // is exhausted nothing changes.
  Status append(int64_t count, std::span<int32_t> slots);
  // Drops everything from position `length` on. Cut inside a page that a fork shares, a sequence can be read but not
  // grow: the rest of that page is the other's.
  void truncate(int64_t length);

  KvSequence(KvSequence &&other) noexcept;
  KvSequence &operator=(KvSequence &&other) noexcept;
  ~KvSequence() { truncate(0); }

private:
  friend class KvPool;
  KvSequence(std::shared_ptr<PageAllocator> allocator, int64_t pageSize)
      : allocator(std::move(allocator)), pageSize(pageSize) {}
  std::shared_ptr<PageAllocator> allocator;
  int64_t pageSize, count = 0;
  std::vector<int32_t> table;
};

// Not thread-safe.
class KvPool {
public:
  // K and V of every layer, of the shape's type [pages, kvHeads, pageSize, headDim] (K by columns where the shape says
  // so), contents unspecified. Errors: sizes below 1 or too large, no memory.
  static Result<KvPool> make(const Device &device, const KvShape &shape);

  const KvShape &shape() const { return sizes; }
  const Buffer &keys(int64_t layer) const { return k[size_t(layer)]; }
  const Buffer &values(int64_t layer) const { return v[size_t(layer)]; }
  int64_t bytes() const;
  int64_t freePages() const { return allocator->freePages(); }

  KvSequence sequence() const { return {allocator, sizes.pageSize}; } // empty
  // A sequence with the same positions: whole pages are shared, the last one is copied where it is not full. Launches
  // that write it must have finished. Error: the pool is exhausted.
  Result<KvSequence> fork(const KvSequence &from) const;

private:
  KvShape sizes;
  std::vector<Buffer> k, v; // one a layer
  std::shared_ptr<PageAllocator> allocator;
};

} // namespace tessera::decode
