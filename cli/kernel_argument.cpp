#include "cli/kernel_argument.h"
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

namespace tessera::cli {

namespace {
using Kind = ElementType::Kind;

constexpr int64_t maxBytes = int64_t(1) << 36; // of one buffer

constexpr ElementType types[] = {{"i8", 1, Kind::signedInteger},  {"u8", 1, Kind::unsignedInteger},
                                 {"i16", 2, Kind::signedInteger}, {"u16", 2, Kind::unsignedInteger},
                                 {"i32", 4, Kind::signedInteger}, {"u32", 4, Kind::unsignedInteger},
                                 {"i64", 8, Kind::signedInteger}, {"u64", 8, Kind::unsignedInteger},
                                 {"f16", 2, Kind::real},          {"bf16", 2, Kind::real},
                                 {"f32", 4, Kind::real},          {"f64", 8, Kind::real}};

// IEEE binary16, to nearest even: https://en.wikipedia.org/wiki/Half-precision_floating-point_format
uint16_t halfOf(double value) {
  uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  double size = std::fabs(value);
  if (std::isnan(size))
    return 0x7e00;
  if (size >= 65520)
    return sign | 0x7c00;
  int exponent = std::max(size > 0 ? std::ilogb(size) : -14, -14);
  auto mantissa = int(std::nearbyint(std::ldexp(size, 10 - exponent))); // 1024 and up where normal
  return uint16_t(sign | (((exponent + 14) << 10) + mantissa));
}
double halfValue(uint16_t bits) {
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double size = exponent == 31 ? (mantissa ? NAN : INFINITY)
                               : std::ldexp(exponent ? mantissa + 1024 : mantissa, std::max(exponent, 1) - 25);
  return bits & 0x8000 ? -size : size;
}
// Through f32: rounded twice, which a test vector does not mind.
uint16_t bfloatOf(double value) {
  auto bits = std::bit_cast<uint32_t>(float(value));
  return std::isnan(value) ? 0x7fc0 : uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

template <class T> void put(std::byte *at, T value) { std::memcpy(at, &value, sizeof value); }
template <class T> T get(const std::byte *at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void putReal(const ElementType &type, std::byte *at, double value) {
  if (type.name == "f16")
    put(at, halfOf(value));
  else if (type.name == "bf16")
    put(at, bfloatOf(value));
  else if (type.bytes == 4)
    put(at, float(value));
  else
    put(at, value);
}
void putInteger(const ElementType &type, std::byte *at, uint64_t value) { std::memcpy(at, &value, size_t(type.bytes)); }

template <class T> bool parseAll(std::string_view text, T &value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

bool fits(const ElementType &type, int64_t value) {
  int bits = type.bytes * 8;
  return bits == 64 || (value >= -(int64_t(1) << (bits - 1)) && value < int64_t(1) << (bits - 1));
}

// One element from text; false where it is no value of the type.
bool parseElement(const ElementType &type, std::string_view text, std::byte *at) {
  if (type.kind == Kind::real) {
    double value = 0;
    if (!parseAll(text, value))
      return false;
    putReal(type, at, value);
    return true;
  }
  if (uint64_t value = 0; type.kind == Kind::unsignedInteger) {
    if (!parseAll(text, value) || (type.bytes < 8 && value >> type.bytes * 8))
      return false;
    putInteger(type, at, value);
    return true;
  }
  int64_t value = 0;
  if (!parseAll(text, value) || !fits(type, value))
    return false;
  putInteger(type, at, uint64_t(value));
  return true;
}

// "64x64" as a product; 0 where it is none or too large.
int64_t elementsOf(std::string_view shape, int bytes) {
  int64_t count = 1;
  while (true) {
    std::string_view size = shape.substr(0, shape.find('x'));
    int64_t along = 0;
    if (!parseAll(size, along) || along < 1 || __builtin_mul_overflow(count, along, &count) || count > maxBytes / bytes)
      return 0;
    if (size.size() == shape.size())
      return count;
    shape.remove_prefix(size.size() + 1);
  }
}

void fillRandom(KernelArgument &arg, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (size_t at = 0; at < arg.bytes.size(); at += size_t(arg.type->bytes)) {
    uint64_t bits = random();
    if (arg.type->kind == Kind::real)
      putReal(*arg.type, &arg.bytes[at], double(bits >> 11) * 0x1p-52 - 1);
    else
      putInteger(*arg.type, &arg.bytes[at], arg.type->kind == Kind::signedInteger ? bits % 201 - 100 : bits % 101);
  }
}

Status readFile(const std::string &path, std::vector<std::byte> &into) {
  std::error_code ignored;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file || std::filesystem::is_directory(path, ignored))
    return ioError("'" + path + "' cannot be read");
  if (file.tellg() != std::streamoff(into.size()))
    return invalidArgument("'" + path + "' has " + std::to_string(file.tellg()) + " bytes, but the buffer " +
                           std::to_string(into.size()));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char *>(into.data()), std::streamsize(into.size())))
    return ioError("'" + path + "' cannot be read");
  return {};
}

Status fill(KernelArgument &arg, const std::string &with, const std::string &quoted) {
  auto bytes = size_t(arg.type->bytes);
  uint64_t seed = 1;
  if (with.starts_with("@"))
    return readFile(with.substr(1), arg.bytes);
  if (with == "random" || (with.starts_with("random:") && parseAll(std::string_view(with).substr(7), seed))) {
    fillRandom(arg, seed);
    return {};
  }
  if (with == "iota") {
    for (size_t i = 0; i < arg.bytes.size() / bytes; ++i)
      if (arg.type->kind == Kind::real)
        putReal(*arg.type, &arg.bytes[i * bytes], double(i));
      else
        putInteger(*arg.type, &arg.bytes[i * bytes], i);
    return {};
  }
  if (!parseElement(*arg.type, with, arg.bytes.data()))
    return invalidArgument(quoted + ": '" + with + "' is no " + std::string(arg.type->name) +
                           ", iota, random, random:SEED or @FILE");
  for (size_t at = bytes; at < arg.bytes.size(); at += bytes)
    std::memcpy(&arg.bytes[at], arg.bytes.data(), bytes);
  return {};
}
} // namespace

Result<KernelArgument> parseKernelArgument(const std::string &text) {
  std::string quoted = "--arg '" + text + "'", names;
  size_t equals = text.find('='), bracket = text.find('[');
  bool isBuffer = bracket < equals;
  std::string head = text.substr(0, equals), name = head.substr(0, head.find('['));
  KernelArgument arg{.isBuffer = isBuffer, .isInitialised = equals != std::string::npos};
  for (const ElementType &type : types) {
    names += (names.empty() ? "" : " ") + std::string(type.name);
    if (type.name == name)
      arg.type = &type;
  }
  if (!arg.type)
    return invalidArgument(quoted + ": '" + name + "' is no element type: known are " + names);
  if (!isBuffer) {
    arg.bytes.resize(size_t(arg.type->bytes));
    if (!arg.isInitialised)
      return invalidArgument(quoted + ": a scalar wants a value, such as " + name + "=1");
    if (!parseElement(*arg.type, text.substr(equals + 1), arg.bytes.data()))
      return invalidArgument(quoted + ": '" + text.substr(equals + 1) + "' is no " + name);
    return arg;
  }
  int64_t count = head.back() == ']' ? elementsOf(std::string_view(head).substr(bracket + 1, head.size() - bracket - 2),
                                                  arg.type->bytes)
                                     : 0;
  if (!count)
    return invalidArgument(quoted + ": a buffer is " + name + "[N] or " + name + "[NxM], of at most 64 GiB");
  arg.bytes.resize(size_t(count * arg.type->bytes));
  if (arg.isInitialised)
    TESSERA_TRY(fill(arg, text.substr(equals + 1), quoted));
  return arg;
}

Json valuesOf(const ElementType &type, const std::vector<std::byte> &bytes, size_t limit) {
  Json list = Json::array();
  for (size_t at = 0; at < bytes.size() && list.size() < limit; at += size_t(type.bytes)) {
    const std::byte *p = &bytes[at];
    uint64_t raw = 0;
    std::memcpy(&raw, p, size_t(type.bytes));
    int unused = 64 - type.bytes * 8;
    if (type.kind == Kind::unsignedInteger)
      list.push_back(raw);
    else if (type.kind == Kind::signedInteger)
      list.push_back(int64_t(raw << unused) >> unused);
    else if (type.name == "f16")
      list.push_back(halfValue(uint16_t(raw)));
    else if (type.name == "bf16")
      list.push_back(std::bit_cast<float>(uint32_t(raw) << 16));
    else if (type.bytes == 4)
      list.push_back(get<float>(p));
    else
      list.push_back(get<double>(p));
  }
  return list;
}

} // namespace tessera::cli
