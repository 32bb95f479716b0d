#include "runtime/buffer.h"
#include "runtime/stream.h"

namespace tessera {

std::string toString(const Shape &shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

Result<int64_t> bytesOf(DType dtype, const Shape &shape) {
  std::string what = std::string(name(dtype)) + " " + toString(shape);
  int64_t elements = 1;
  for (int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(elements, size, &elements))
      return invalidArgument("a tensor cannot have the shape " + what);
  if (elements > INT64_MAX / 64) // leaves room for any element's bits, a packed matrix's padding included
    return invalidArgument("a tensor cannot be as large as " + what);
  const DTypeInfo &row = info(dtype);
  if (!row.packed) {
    if (row.bits == 0)
      return invalidArgument("a tensor cannot hold elements of type " + std::string(row.name));
    return denseBytes(dtype, elements);
  }
  if (shape.size() != 2 || shape[1] % row.packed->block != 0)
    return invalidArgument("a packed matrix is [rows, columns] with columns a multiple of " +
                           std::to_string(row.packed->block) + ", not " + what);
  return panelBytes(dtype, shape[0], shape[1]);
}

Result<Buffer> Buffer::view(int64_t offset, DType dtype, Shape shape) const {
  int64_t size = TESSERA_TRY(bytesOf(dtype, shape));
  if (offset < 0 || offset > byteCount || size > byteCount - offset)
    return invalidArgument("a view of " + std::to_string(size) + " bytes at " + std::to_string(offset) +
                           " does not fit into a buffer of " + std::to_string(byteCount));
  Buffer part = *this;
  part.memory = std::shared_ptr<void>(memory, static_cast<char *>(memory.get()) + offset);
  part.elements = dtype;
  part.sizes = std::move(shape);
  part.byteCount = size;
  return part;
}

Result<Buffer> Buffer::slice(int64_t begin, int64_t count) const {
  if (sizes.empty() || begin < 0 || count < 0 || begin > sizes[0] || count > sizes[0] - begin)
    return invalidArgument("rows " + std::to_string(begin) + " to " + std::to_string(begin + count) +
                           " are not all inside a tensor of shape " + toString(sizes));
  Shape shape = sizes;
  shape[0] = begin;
  int64_t offset = TESSERA_TRY(bytesOf(elements, shape));
  shape[0] = count;
  if (isPacked(elements) && (begin % panelRows != 0 || (count % panelRows != 0 && begin + count != sizes[0])))
    return invalidArgument("a slice of a packed matrix takes whole panels of " + std::to_string(panelRows) + " rows");
  return view(offset, elements, std::move(shape));
}

Result<Buffer> Buffer::reshape(Shape shape) const {
  int64_t size = TESSERA_TRY(bytesOf(elements, shape));
  if (isPacked(elements) ? shape != sizes : size != byteCount)
    return invalidArgument("a tensor of shape " + toString(sizes) + " cannot become " + toString(shape));
  return view(0, elements, std::move(shape));
}

Buffer Buffer::asReadOnly() const {
  Buffer copy = *this;
  copy.isReadOnly = true;
  return copy;
}

static Status checkCopy(const Buffer &buffer, int64_t bytes) {
  if (bytes != buffer.bytes())
    return invalidArgument("a copy of " + std::to_string(bytes) + " bytes does not match a " +
                           std::string(name(buffer.dtype())) + " tensor " + toString(buffer.shape()) + " of " +
                           std::to_string(buffer.bytes()));
  return {};
}

Status Buffer::copyFrom(const void *host, int64_t bytes) const {
  TESSERA_TRY(checkCopy(*this, bytes));
  if (isReadOnly)
    return invalidArgument("a read-only buffer cannot be written");
  return owner ? owner->copyIn(data(), host, bytes) : Status();
}

Status Buffer::copyTo(void *host, int64_t bytes) const {
  TESSERA_TRY(checkCopy(*this, bytes));
  return owner ? owner->copyOut(host, data(), bytes) : Status();
}

static Status checkStream(const Buffer &buffer, const Stream &stream) {
  if (buffer && &stream.device() != buffer.device())
    return invalidArgument("the stream of a copy belongs to another device than the buffer");
  return {};
}

Status Buffer::copyFrom(const Stream &stream, const void *host, int64_t bytes) const {
  TESSERA_TRY(checkCopy(*this, bytes));
  TESSERA_TRY(checkStream(*this, stream));
  if (isReadOnly)
    return invalidArgument("a read-only buffer cannot be written");
  return owner ? owner->copyInAsync(stream.handle(), data(), host, bytes) : Status();
}

Status Buffer::copyTo(const Stream &stream, void *host, int64_t bytes) const {
  TESSERA_TRY(checkCopy(*this, bytes));
  TESSERA_TRY(checkStream(*this, stream));
  return owner ? owner->copyOutAsync(stream.handle(), host, data(), bytes) : Status();
}

} // namespace tessera
