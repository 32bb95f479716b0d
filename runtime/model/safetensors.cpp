#include "runtime/model/safetensors.h"
#include "runtime/model/gguf_format.h"
#include "runtime/model/json.h"
#include <algorithm>
#include <cstring>
#include <utility>

namespace tessera::model {

namespace {

constexpr uint64_t headerLimit = 100'000'000; // the format's own
constexpr size_t rankLimit = 8;

const GgmlType *typeByName(std::string_view name) {
  constexpr std::string_view known[] = {"F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8"};
  return std::ranges::find(known, name) == std::end(known) ? nullptr : ggmlTypeByName(name);
}

// Bytes of a shape, which is checked.
Result<uint64_t> sizeOf(const JsonValue &entry, const GgmlType &type, std::vector<int64_t> &shape) {
  std::vector<JsonValue> extents = TESSERA_TRY(TESSERA_TRY(entry.at("shape")).elements());
  if (extents.empty() || extents.size() > rankLimit)
    return invalidArgument(
        entry.about("has " + std::to_string(extents.size()) + " dimensions, not 1 to " + std::to_string(rankLimit)));
  uint64_t bytes = uint64_t(type.blockBytes);
  for (const JsonValue &value : extents) {
    int64_t extent = TESSERA_TRY(value.as<int64_t>());
    if (extent < 1)
      return invalidArgument(entry.about("has an extent of " + std::to_string(extent)));
    if (__builtin_mul_overflow(bytes, uint64_t(extent), &bytes) || bytes > uint64_t(INT64_MAX))
      return invalidArgument(entry.about("has more bytes than 63 bits can count"));
    shape.push_back(extent);
  }
  return bytes;
}

Result<SafetensorsEntry> readEntry(const std::string &name, const JsonValue &entry, std::span<const std::byte> data) {
  SafetensorsEntry tensor{name, nullptr, {}, {}};
  std::string type = TESSERA_TRY(entry.get<std::string>("dtype"));
  tensor.type = typeByName(type);
  if (!tensor.type)
    return unsupported(entry.about("has the type " + model::quoted(type) + ", which is not supported"));
  uint64_t size = TESSERA_TRY(sizeOf(entry, *tensor.type, tensor.shape));
  JsonValue offsets = TESSERA_TRY(entry.at("data_offsets"));
  std::vector<JsonValue> ends = TESSERA_TRY(offsets.elements());
  if (ends.size() != 2)
    return invalidArgument(offsets.about("is not a begin and an end"));
  int64_t begin = TESSERA_TRY(ends[0].as<int64_t>()), end = TESSERA_TRY(ends[1].as<int64_t>());
  if (begin < 0 || end < begin || uint64_t(end) > data.size())
    return invalidArgument(offsets.about("is outside the file's " + std::to_string(data.size()) + " bytes of data"));
  if (uint64_t(end - begin) != size)
    return invalidArgument(
        offsets.about("spans " + std::to_string(end - begin) + " bytes where the shape takes " + std::to_string(size)));
  tensor.bytes = data.subspan(size_t(begin), size_t(end - begin));
  return tensor;
}

// The format wants every byte to belong to one tensor.
Status checkCover(const std::string &path, std::span<const SafetensorsEntry> tensors, std::span<const std::byte> data) {
  const std::byte *at = data.data();
  for (const SafetensorsEntry &tensor : tensors) {
    if (tensor.bytes.data() != at)
      return invalidArgument(path + ": the tensor " + model::quoted(tensor.name) + " begins " +
                             (tensor.bytes.data() < at ? "inside the one before it" : "after a gap"));
    at += tensor.bytes.size();
  }
  if (at != data.data() + data.size())
    return invalidArgument(path + ": " + std::to_string(data.data() + data.size() - at) +
                           " bytes behind the last tensor belong to none");
  return {};
}

} // namespace

Result<Safetensors> Safetensors::open(const std::string &path) {
  Safetensors out;
  out.file = TESSERA_TRY(MappedFile::open(path));
  std::span<const std::byte> bytes = out.file->bytes();
  uint64_t length = 0;
  if (bytes.size() < sizeof(length))
    return invalidArgument(path + ": not a safetensors file: it has only " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&length, bytes.data(), sizeof(length));
  bytes = bytes.subspan(sizeof(length));
  if (length > headerLimit || length > bytes.size())
    return invalidArgument(path + ": not a safetensors file: its header claims " + std::to_string(length) +
                           " bytes where " + std::to_string(bytes.size()) + " follow");
  std::string_view text(reinterpret_cast<const char *>(bytes.data()), length);
  JsonValue header = TESSERA_TRY(JsonValue::parse(path, text));
  if (!header.isObject())
    return invalidArgument(path + ": the safetensors header is not an object");
  std::span<const std::byte> data = bytes.subspan(length);
  for (const auto &[name, value] : header.raw().items())
    if (name != "__metadata__")
      out.tensors.push_back(TESSERA_TRY(readEntry(name, TESSERA_TRY(header.at(name)), data)));
  std::ranges::sort(out.tensors, {}, [](const SafetensorsEntry &tensor) { return tensor.bytes.data(); });
  TESSERA_TRY(checkCover(path, out.tensors, data));
  return out;
}

} // namespace tessera::model
