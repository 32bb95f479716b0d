#include "runtime/model/gguf_parser.h"
#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <numeric>

static_assert(std::endian::native == std::endian::little, "GGUF values are read in place");

namespace tessera::model {

namespace {
constexpr uint64_t keyLimit = 65535;     // the specification's
constexpr uint64_t tensorNameLimit = 64; // the specification's
constexpr uint32_t rankLimit = 4;        // ggml's
constexpr int arrayDepth = 4;            // of arrays in arrays; the specification leaves it open

// Smallest encodings, so that a count can be refused before anything is allocated for it.
constexpr uint64_t entryBytes = 8 + 1 + 4 + 1;
constexpr uint64_t tensorInfoBytes = 8 + 1 + 4 + 8 + 4 + 8;

// Bytes of a scalar; 0 for strings, arrays and unknown types.
uint64_t scalarBytes(GgufType type) {
  constexpr uint8_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return uint32_t(type) < std::size(sizes) ? sizes[uint32_t(type)] : 0;
}

bool isKnown(GgufType type) { return type <= GgufType::f64; }

// The fewest bytes that an element of this type takes in an array.
uint64_t leastBytes(GgufType type) {
  return type == GgufType::string ? 8 : type == GgufType::array ? 12 : scalarBytes(type);
}

bool allBooleans(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte <= std::byte{1}; });
}

std::string number(uint64_t value) { return std::to_string(value); }
} // namespace

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (char c : text.substr(0, 64)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      constexpr char digits[] = "0123456789abcdef";
      out += {'\\', 'x', digits[uint8_t(c) >> 4], digits[uint8_t(c) & 15]};
    }
  }
  return out + (text.size() > 64 ? "...'" : "'");
}

Error GgufParser::fail(std::string_view what) const { return invalidArgument(state.path + ": " + std::string(what)); }

Error GgufParser::truncated(std::string_view what) const {
  return fail("the file is truncated: it ends after " + number(bytes.size()) + " bytes, inside " + std::string(what));
}

template <class T> Result<T> GgufParser::read(std::string_view what) {
  if (left() < sizeof(T))
    return truncated(what);
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  at += sizeof(T);
  return value;
}

Result<std::string_view> GgufParser::string(std::string_view what, uint64_t limit) {
  uint64_t length = TESSERA_TRY(read<uint64_t>(what));
  if (length > limit)
    return fail(std::string(what) + " has a length of " + number(length) + " bytes, over the limit of " +
                number(limit));
  if (length > left())
    return fail(std::string(what) + " claims " + number(length) + " bytes where the file has " + number(left()) +
                " left");
  std::string_view text(reinterpret_cast<const char *>(bytes.data()) + at, length);
  at += length;
  return text;
}

Status GgufParser::parse() {
  TESSERA_TRY(header());
  state.entries.reserve(entryCount);
  for (uint64_t i = 0; i < entryCount; ++i)
    TESSERA_TRY(entry(i));
  std::ranges::sort(state.entries, {}, [](const auto &entry) { return entry.first; });
  auto twice = std::ranges::adjacent_find(state.entries, {}, [](const auto &entry) { return entry.first; });
  if (twice != state.entries.end())
    return fail("the metadata key " + quoted(twice->first) + " appears twice");

  for (const auto &[key, value] : state.entries) {
    if (key != "general.alignment")
      continue;
    if (value.type != GgufType::u32)
      return fail("the metadata key 'general.alignment' is not a 32-bit unsigned integer");
    uint32_t wanted;
    std::memcpy(&wanted, value.bytes.data(), 4);
    if (!std::has_single_bit(wanted) || wanted < 8)
      return fail("general.alignment is " + number(wanted) + ", not a power of two of at least 8");
    alignment = wanted;
  }

  if (tensorCount > left() / tensorInfoBytes)
    return fail("the header claims " + number(tensorCount) + " tensors, more than the file can hold");
  state.tensors.reserve(tensorCount);
  offsets.reserve(tensorCount);
  for (uint64_t i = 0; i < tensorCount; ++i)
    TESSERA_TRY(tensor(i));
  TESSERA_TRY(sortNames());
  return data();
}

Status GgufParser::header() {
  if (left() < 4 || std::memcmp(bytes.data(), "GGUF", 4) != 0)
    return fail("not a GGUF file: it does not start with the magic 'GGUF'");
  at = 4;
  uint32_t version = TESSERA_TRY(read<uint32_t>("the version"));
  if (version != ggufVersion && (version & 0xffff) == 0)
    return fail("the file is a big-endian GGUF, which is not supported");
  if (version != ggufVersion)
    return fail("GGUF version " + number(version) + " is not supported, only version 3");
  tensorCount = TESSERA_TRY(read<uint64_t>("the tensor count"));
  entryCount = TESSERA_TRY(read<uint64_t>("the metadata count"));
  if (entryCount > left() / entryBytes)
    return fail("the header claims " + number(entryCount) + " metadata keys, more than the file can hold");
  if (tensorCount > left() / tensorInfoBytes)
    return fail("the header claims " + number(tensorCount) + " tensors, more than the file can hold");
  return {};
}

Status GgufParser::entry(uint64_t index) {
  std::string which = "metadata key " + number(index + 1) + " of " + number(entryCount);
  std::string_view key = TESSERA_TRY(string(which, keyLimit));
  if (key.empty())
    return fail(which + " has an empty name");
  state.entries.emplace_back(key, TESSERA_TRY(value(key)));
  return {};
}

Result<GgufValue> GgufParser::value(std::string_view key) {
  std::string where = "the metadata key " + quoted(key);
  GgufValue result{};
  result.type = GgufType(TESSERA_TRY(read<uint32_t>(where)));
  if (!isKnown(result.type))
    return fail(where + " has the unknown type " + number(uint32_t(result.type)));
  if (result.type == GgufType::string) {
    std::string_view text = TESSERA_TRY(string(where, std::numeric_limits<uint64_t>::max()));
    result.bytes = std::as_bytes(std::span(text));
    return result;
  }
  uint64_t start;
  if (result.type == GgufType::array) {
    result.element = GgufType(TESSERA_TRY(read<uint32_t>(where)));
    result.count = TESSERA_TRY(read<uint64_t>(where));
    start = at;
    TESSERA_TRY(skipElements(result.element, result.count, 1, where));
  } else {
    start = at;
    TESSERA_TRY(skipElements(result.type, 1, 1, where));
  }
  result.bytes = bytes.subspan(start, at - start);
  return result;
}

Status GgufParser::skipElements(GgufType element, uint64_t count, int depth, std::string_view where) {
  std::string what(where);
  if (!isKnown(element))
    return fail(what + " is an array of the unknown type " + number(uint32_t(element)));
  if (count > left() / leastBytes(element))
    return fail(what + " claims " + number(count) + " elements, more than the file can hold");
  if (uint64_t size = scalarBytes(element)) {
    if (element == GgufType::boolean && !allBooleans(bytes.subspan(at, count)))
      return fail(what + " holds a boolean that is neither 0 nor 1");
    at += count * size;
    return {};
  }
  if (element == GgufType::array && depth == arrayDepth)
    return fail(what + " nests arrays deeper than " + std::to_string(arrayDepth));
  for (uint64_t i = 0; i < count; ++i) {
    if (element == GgufType::string) {
      TESSERA_TRY(string(where, std::numeric_limits<uint64_t>::max()));
      continue;
    }
    GgufType inner = GgufType(TESSERA_TRY(read<uint32_t>(where)));
    uint64_t innerCount = TESSERA_TRY(read<uint64_t>(where));
    TESSERA_TRY(skipElements(inner, innerCount, depth + 1, where));
  }
  return {};
}

Status GgufParser::tensor(uint64_t index) {
  std::string which = "tensor " + number(index + 1) + " of " + number(tensorCount);
  GgufTensor result;
  result.name = TESSERA_TRY(string(which + "'s name", tensorNameLimit));
  if (result.name.empty())
    return fail(which + " has an empty name");
  std::string where = "tensor " + quoted(result.name);
  uint32_t rank = TESSERA_TRY(read<uint32_t>(where));
  if (rank < 1 || rank > rankLimit)
    return fail(where + " has " + number(rank) + " dimensions, not 1 to 4");

  int64_t elements = 1;
  for (uint32_t i = 0; i < rank; ++i) {
    uint64_t extent = TESSERA_TRY(read<uint64_t>(where));
    if (extent == 0)
      return fail(where + " has an extent of 0");
    if (extent > uint64_t(std::numeric_limits<int64_t>::max()) ||
        __builtin_mul_overflow(elements, int64_t(extent), &elements))
      return fail(where + " has more elements than 64 bits can count");
    result.shape.insert(result.shape.begin(), int64_t(extent));
  }
  uint32_t type = TESSERA_TRY(read<uint32_t>(where));
  result.type = ggmlType(type);
  if (!result.type)
    return fail(where + " has the unknown type " + number(type));
  if (result.shape.back() % result.type->block != 0)
    return fail(where + " has rows of " + number(result.shape.back()) + " values, not a multiple of " +
                std::string(result.type->name) + "'s block of " + number(result.type->block));

  uint64_t size;
  if (__builtin_mul_overflow(uint64_t(elements / result.type->block), uint64_t(result.type->blockBytes), &size))
    return fail(where + " has more bytes than 64 bits can count");
  uint64_t offset = TESSERA_TRY(read<uint64_t>(where));
  if (offset % alignment != 0)
    return fail(where + " starts at offset " + number(offset) + ", not a multiple of the alignment " +
                number(alignment));
  // The data pointer follows in data(); until then the span carries the size only.
  result.bytes = {static_cast<const std::byte *>(nullptr), size};
  offsets.push_back(offset);
  state.tensors.push_back(std::move(result));
  return {};
}

Status GgufParser::sortNames() {
  auto &order = state.byName;
  auto name = [&](size_t i) { return state.tensors[i].name; };
  order.resize(state.tensors.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::ranges::sort(order, {}, name);
  auto twice = std::ranges::adjacent_find(order, {}, name);
  if (twice != order.end())
    return fail("tensor " + quoted(name(*twice)) + " appears twice");
  return {};
}

Status GgufParser::data() {
  uint64_t padding = (alignment - at % alignment) % alignment;
  if (padding > left() && !state.tensors.empty())
    return truncated("the padding before the tensor data");
  uint64_t base = at + padding;
  for (size_t i = 0; i < state.tensors.size(); ++i) {
    GgufTensor &tensor = state.tensors[i];
    uint64_t room = bytes.size() - base, size = tensor.bytes.size();
    if (offsets[i] > room || size > room - offsets[i])
      return fail("tensor " + quoted(tensor.name) + " needs " + number(size) + " bytes at offset " +
                  number(offsets[i]) + " of the tensor data, but the file is truncated: it holds only " + number(room));
    tensor.bytes = bytes.subspan(base + offsets[i], size);
  }
  return checkOverlap();
}

Status GgufParser::checkOverlap() {
  std::vector<size_t> order(state.tensors.size());
  std::iota(order.begin(), order.end(), size_t(0));
  std::ranges::sort(order, {}, [&](size_t i) { return offsets[i]; });
  for (size_t i = 1; i < order.size(); ++i) {
    const GgufTensor &before = state.tensors[order[i - 1]];
    if (offsets[order[i - 1]] + before.bytes.size() > offsets[order[i]])
      return fail("tensors " + quoted(before.name) + " and " + quoted(state.tensors[order[i]].name) + " overlap");
  }
  return {};
}

} // namespace tessera::model
