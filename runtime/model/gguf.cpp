#include "runtime/model/gguf.h"
#include "runtime/model/gguf_parser.h"
#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

namespace tessera::model {

namespace {
template <class T> T readAt(const std::byte *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Bytes of a scalar as it lies in an array.
size_t stride(GgufType type) {
  switch (type) {
  case GgufType::u16:
  case GgufType::i16:
    return 2;
  case GgufType::u32:
  case GgufType::i32:
  case GgufType::f32:
    return 4;
  case GgufType::u64:
  case GgufType::i64:
  case GgufType::f64:
    return 8;
  default:
    return 1;
  }
}

bool isInteger(GgufType type) { return type <= GgufType::i32 || type == GgufType::u64 || type == GgufType::i64; }
bool isFloat(GgufType type) { return type == GgufType::f32 || type == GgufType::f64; }

// Empty where the value does not fit.
std::optional<int64_t> integerAt(GgufType type, const std::byte *bytes) {
  switch (type) {
  case GgufType::u8:
    return readAt<uint8_t>(bytes);
  case GgufType::i8:
    return readAt<int8_t>(bytes);
  case GgufType::u16:
    return readAt<uint16_t>(bytes);
  case GgufType::i16:
    return readAt<int16_t>(bytes);
  case GgufType::u32:
    return readAt<uint32_t>(bytes);
  case GgufType::i32:
    return readAt<int32_t>(bytes);
  case GgufType::i64:
    return readAt<int64_t>(bytes);
  default:
    break;
  }
  uint64_t value = readAt<uint64_t>(bytes);
  if (value > uint64_t(std::numeric_limits<int64_t>::max()))
    return std::nullopt;
  return int64_t(value);
}

double floatAt(GgufType type, const std::byte *bytes) {
  return type == GgufType::f32 ? double(readAt<float>(bytes)) : readAt<double>(bytes);
}

std::string_view asText(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

// What a getter's T is called in a message; and its value, or nothing where the types differ.
template <class T> struct Reader;
template <> struct Reader<bool> {
  static constexpr std::string_view what = "a boolean";
  static std::optional<bool> read(const GgufValue &value) {
    if (value.type != GgufType::boolean)
      return std::nullopt;
    return readAt<uint8_t>(value.bytes.data()) != 0;
  }
};
template <> struct Reader<int64_t> {
  static constexpr std::string_view what = "an integer of at most 63 bits";
  static std::optional<int64_t> read(const GgufValue &value) {
    return isInteger(value.type) ? integerAt(value.type, value.bytes.data()) : std::nullopt;
  }
};
template <> struct Reader<double> {
  static constexpr std::string_view what = "a float";
  static std::optional<double> read(const GgufValue &value) {
    if (!isFloat(value.type))
      return std::nullopt;
    return floatAt(value.type, value.bytes.data());
  }
};
template <> struct Reader<std::string_view> {
  static constexpr std::string_view what = "a string";
  static std::optional<std::string_view> read(const GgufValue &value) {
    if (value.type != GgufType::string)
      return std::nullopt;
    return asText(value.bytes);
  }
};
template <> struct Reader<std::vector<int64_t>> {
  static constexpr std::string_view what = "an array of integers of at most 63 bits";
  static std::optional<std::vector<int64_t>> read(const GgufValue &value) {
    if (value.type != GgufType::array || !isInteger(value.element))
      return std::nullopt;
    std::vector<int64_t> out;
    out.reserve(value.count);
    for (uint64_t i = 0; i < value.count; ++i) {
      std::optional<int64_t> element = integerAt(value.element, value.bytes.data() + i * stride(value.element));
      if (!element)
        return std::nullopt;
      out.push_back(*element);
    }
    return out;
  }
};
template <> struct Reader<std::vector<double>> {
  static constexpr std::string_view what = "an array of floats";
  static std::optional<std::vector<double>> read(const GgufValue &value) {
    if (value.type != GgufType::array || !isFloat(value.element))
      return std::nullopt;
    std::vector<double> out;
    out.reserve(value.count);
    for (uint64_t i = 0; i < value.count; ++i)
      out.push_back(floatAt(value.element, value.bytes.data() + i * stride(value.element)));
    return out;
  }
};
template <> struct Reader<std::vector<std::string_view>> {
  static constexpr std::string_view what = "an array of strings";
  static std::optional<std::vector<std::string_view>> read(const GgufValue &value) {
    if (value.type != GgufType::array || value.element != GgufType::string)
      return std::nullopt;
    std::vector<std::string_view> out;
    out.reserve(value.count);
    // The parser has walked these lengths already.
    for (std::span<const std::byte> rest = value.bytes; !rest.empty();) {
      uint64_t length = readAt<uint64_t>(rest.data());
      out.push_back(asText(rest.subspan(8, length)));
      rest = rest.subspan(8 + length);
    }
    return out;
  }
};

} // namespace

Result<Gguf> Gguf::open(const std::string &path) {
  auto state = std::make_shared<State>();
  state->path = path;
  state->file = TESSERA_TRY(MappedFile::open(path));
  TESSERA_TRY(GgufParser(*state).parse());
  return Gguf(std::move(state));
}

const std::string &Gguf::path() const { return state->path; }
uint64_t Gguf::fileBytes() const { return state->file->bytes().size(); }
std::string Gguf::about(std::string_view what) const { return state->path + ": " + std::string(what); }

static const GgufValue *findValue(std::span<const std::pair<std::string_view, GgufValue>> entries,
                                  std::string_view key) {
  auto at = std::ranges::lower_bound(entries, key, {}, [](const auto &entry) { return entry.first; });
  return at != entries.end() && at->first == key ? &at->second : nullptr;
}

bool Gguf::has(std::string_view key) const { return findValue(state->entries, key) != nullptr; }

template <class T> Result<T> Gguf::get(std::string_view key) const {
  const GgufValue *value = findValue(state->entries, key);
  if (!value)
    return invalidArgument(about("the metadata key " + quoted(key) + " is missing"));
  if (std::optional<T> read = Reader<T>::read(*value))
    return std::move(*read);
  return invalidArgument(about("the metadata key " + quoted(key) + " is not " + std::string(Reader<T>::what)));
}

template Result<bool> Gguf::get(std::string_view) const;
template Result<int64_t> Gguf::get(std::string_view) const;
template Result<double> Gguf::get(std::string_view) const;
template Result<std::string_view> Gguf::get(std::string_view) const;
template Result<std::vector<int64_t>> Gguf::get(std::string_view) const;
template Result<std::vector<double>> Gguf::get(std::string_view) const;
template Result<std::vector<std::string_view>> Gguf::get(std::string_view) const;

std::span<const GgufTensor> Gguf::tensors() const { return state->tensors; }

const GgufTensor *Gguf::find(std::string_view name) const {
  auto nameOf = [&](size_t i) { return state->tensors[i].name; };
  auto at = std::ranges::lower_bound(state->byName, name, {}, nameOf);
  return at != state->byName.end() && nameOf(*at) == name ? &state->tensors[*at] : nullptr;
}

Tensors Gguf::named() const {
  return Tensors(state->path, std::vector<StoredTensor>(state->tensors.begin(), state->tensors.end()), state);
}

} // namespace tessera::model
