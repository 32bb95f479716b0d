#include "runtime/decode/kv_pool.h"

namespace tessera::decode {

KvSequence::KvSequence(KvSequence &&other) noexcept
    : allocator(other.allocator), pageSize(other.pageSize), count(std::exchange(other.count, 0)),
      table(std::exchange(other.table, {})) {}

KvSequence &KvSequence::operator=(KvSequence &&other) noexcept {
  std::swap(allocator, other.allocator);
  std::swap(pageSize, other.pageSize);
  std::swap(count, other.count);
  std::swap(table, other.table);
  return *this;
}

Status KvSequence::append(int64_t more, std::span<int32_t> slots) {
  int64_t before = count, needed = (before + more + pageSize - 1) / pageSize;
  if (before % pageSize != 0 && allocator->references(table.back()) > 1)
    return internalError("a sequence that was cut inside a page that others hold too cannot grow there");
  while (int64_t(table.size()) < needed) {
    Result<int32_t> page = allocator->take();
    if (!page) {
      truncate(before);
      return std::move(page.error());
    }
    table.push_back(*page);
  }
  count += more;
  for (int64_t i = 0; i < more; ++i)
    slots[size_t(i)] = int32_t(table[size_t((before + i) / pageSize)] * pageSize + (before + i) % pageSize);
  return {};
}

void KvSequence::truncate(int64_t length) {
  count = std::min(count, length);
  for (int64_t needed = (count + pageSize - 1) / pageSize; int64_t(table.size()) > needed; table.pop_back())
    allocator->release(table.back());
}

Result<KvPool> KvPool::make(const Device &device, const KvShape &shape) {
  if (shape.pageSize < 1 || shape.pages < 1 || shape.pages > INT32_MAX / shape.pageSize)
    return invalidArgument("a KV pool cannot have " + std::to_string(shape.pages) + " pages of " +
                           std::to_string(shape.pageSize) + " tokens");
  KvPool pool;
  pool.sizes = shape;
  pool.allocator = std::make_shared<PageAllocator>(shape.pages);
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    Shape rows = {shape.pages, shape.kvHeads, shape.pageSize, shape.headDim}, keys = rows;
    if (shape.keyColumns)
      std::swap(keys[2], keys[3]);
    pool.k.push_back(TESSERA_TRY(device.alloc(shape.dtype, keys)));
    pool.v.push_back(TESSERA_TRY(device.alloc(shape.dtype, rows)));
  }
  return pool;
}

int64_t KvPool::bytes() const {
  int64_t total = 0;
  for (const std::vector<Buffer> *side : {&k, &v})
    for (const Buffer &buffer : *side)
      total += buffer.bytes();
  return total;
}

Result<KvSequence> KvPool::fork(const KvSequence &from) const {
  KvSequence copy = sequence();
  int64_t whole = from.count / sizes.pageSize;
  for (int64_t i = 0; i < whole; ++i) {
    allocator->share(from.table[size_t(i)]);
    copy.table.push_back(from.table[size_t(i)]);
  }
  copy.count = whole * sizes.pageSize;
  if (copy.count == from.count)
    return copy;
  copy.table.push_back(TESSERA_TRY(allocator->take()));
  copy.count = from.count;
  for (const std::vector<Buffer> *side : {&k, &v})
    for (const Buffer &buffer : *side) {
      Buffer source = TESSERA_TRY(buffer.slice(from.table.back(), 1));
      Buffer target = TESSERA_TRY(buffer.slice(copy.table.back(), 1));
      std::vector<std::byte> page(size_t(source.bytes()));
      TESSERA_TRY(source.copyTo(page.data(), source.bytes()));
      TESSERA_TRY(target.copyFrom(page.data(), target.bytes()));
    }
  return copy;
}

} // namespace tessera::decode
