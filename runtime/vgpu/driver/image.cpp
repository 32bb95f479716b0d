#include "runtime/vgpu/driver/image.h"
#include <cstring>
#include <dlfcn.h>

namespace tessera::vgpu::driver {
namespace {
constexpr uint32_t wrapperMagic = 0x466243b1, fatMagic = 0xba55ed50, elfMagic = 0x464c457f;
constexpr uint64_t flagLz4 = 0x2000, flagZstd = 0x8000;
constexpr size_t mostText = size_t(1) << 30; // of one unpacked entry: more is no PTX that anybody wrote

template <class T> T at(const unsigned char *bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// The library is there where LLVM is; without it such images are refused.
bool unpackZstd(const unsigned char *from, size_t size, std::string &into, std::string &why) {
  using Decompress = size_t (*)(void *, size_t, const void *, size_t);
  static const auto decompress = [] {
    void *library = dlopen("libzstd.so.1", RTLD_NOW | RTLD_LOCAL);
    return library ? reinterpret_cast<Decompress>(dlsym(library, "ZSTD_decompress")) : nullptr;
  }();
  if (!decompress) {
    why = "the PTX in the fat binary is compressed by zstd, and libzstd.so.1 is not there: give nvcc "
          "--compress-mode=none";
    return false;
  }
  if (decompress(into.data(), into.size(), from, size) == into.size())
    return true;
  why = "the compressed PTX in the fat binary is damaged";
  return false;
}

// One entry of a fat binary: a header of 64 bytes or more, then the payload.
struct Entry {
  const unsigned char *payload = nullptr;
  uint64_t size = 0;
  uint32_t packed = 0; // bytes of the payload that count, where it is compressed
  uint64_t flags = 0, unpacked = 0;
};

bool unpack(const Entry &entry, Image &into) {
  if (!(entry.flags & (flagLz4 | flagZstd))) {
    into.text.assign(reinterpret_cast<const char *>(entry.payload), entry.size);
    into.text.resize(std::strlen(into.text.c_str()));
    return true;
  }
  if (entry.packed > entry.size || entry.unpacked > mostText) {
    into.message = "the compressed PTX in the fat binary is damaged";
    return false;
  }
  into.text.assign(entry.unpacked, '\0');
  if (entry.flags & flagZstd) {
    if (!unpackZstd(entry.payload, entry.packed, into.text, into.message))
      return false;
  } else if (!unpackLz4(entry.payload, entry.packed, into.text)) {
    into.message = "the compressed PTX in the fat binary is damaged";
    return false;
  }
  into.text.resize(std::strlen(into.text.c_str()));
  return true;
}

// The capability that the text's own .target names; it decides, not the entry's header.
uint32_t targetOf(std::string_view text, bool &specific) {
  size_t found = text.find(".target");
  if (found == text.npos)
    return 0;
  std::string_view rest = text.substr(found + 7);
  size_t begin = rest.find_first_not_of(" \t");
  if (begin == rest.npos)
    return 0;
  rest.remove_prefix(begin);
  return archOf(rest.substr(0, rest.find_first_of(" \t\r\n,/;")), specific);
}

Image readFatBinary(const unsigned char *bytes, size_t size, uint32_t arch) {
  Image best{.result = NO_BINARY_FOR_GPU};
  best.message = "the fat binary holds no PTX for sm_" + std::to_string(arch) +
                 " or older: the virtual GPU does not execute machine code";
  uint32_t bestArch = 0;
  if (size && size < 16)
    return {INVALID_IMAGE, "", "the fat binary is cut off"};
  const uint64_t headerSize = at<uint16_t>(bytes + 6), body = at<uint64_t>(bytes + 8);
  if (headerSize < 16 || body > (uint64_t(1) << 40) || (size && headerSize + body > size))
    return {INVALID_IMAGE, "", "the fat binary is cut off"};
  uint64_t offset = headerSize;
  const uint64_t end = headerSize + body;
  while (end - offset >= 64) {
    const unsigned char *header = bytes + offset;
    const auto kind = at<uint16_t>(header);
    const uint64_t entryHeader = at<uint32_t>(header + 4), payload = at<uint64_t>(header + 8);
    if (entryHeader < 64 || entryHeader > end - offset || payload > end - offset - entryHeader)
      return {INVALID_IMAGE, "", "an entry of the fat binary is longer than the whole"};
    offset += entryHeader + payload;
    if (kind != 1) // 2: machine code
      continue;
    Entry entry{header + entryHeader, payload, at<uint32_t>(header + 16), at<uint64_t>(header + 40),
                at<uint64_t>(header + 56)};
    Image candidate;
    if (!unpack(entry, candidate)) {
      if (!bestArch)
        best.message = candidate.message;
      continue;
    }
    bool specific = false;
    uint32_t target = targetOf(candidate.text, specific);
    // An architecture-specific one is taken before the plain one of the same capability.
    if (target && target <= arch && (!specific || target == arch) && target * 2 + specific > bestArch) {
      bestArch = target * 2 + specific;
      best = std::move(candidate);
    }
  }
  return best;
}
} // namespace

uint32_t archOf(std::string_view target, bool &specific) {
  size_t digits = target.find('_');
  uint32_t value = 0;
  for (char c : target.substr(digits == target.npos ? target.size() : digits + 1, 4))
    if (c >= '0' && c <= '9')
      value = value * 10 + uint32_t(c - '0');
  specific = target.ends_with('a');
  return value;
}

bool unpackLz4(const unsigned char *from, size_t size, std::string &into) {
  const unsigned char *end = from + size;
  size_t filled = 0;
  auto lengthOf = [&](size_t nibble, size_t &length) {
    length = nibble;
    for (unsigned char more = 255; nibble == 15 && more == 255; length += more) {
      if (from == end)
        return false;
      more = *from++;
    }
    return true;
  };
  while (from != end) {
    const unsigned token = *from++;
    size_t literals, match;
    if (!lengthOf(token >> 4, literals) || literals > size_t(end - from) || literals > into.size() - filled)
      return false;
    std::memcpy(into.data() + filled, from, literals);
    from += literals;
    filled += literals;
    if (from == end)
      break; // the last sequence has no match
    if (end - from < 2)
      return false;
    const size_t distance = from[0] | size_t(from[1]) << 8;
    from += 2;
    if (!lengthOf(token & 15, match))
      return false;
    match += 4;
    if (distance == 0 || distance > filled || match > into.size() - filled)
      return false;
    for (size_t i = 0; i < match; ++i, ++filled) // may overlap itself
      into[filled] = into[filled - distance];
  }
  return filled == into.size();
}

Image readImage(const void *image, size_t size, uint32_t arch) {
  const auto *bytes = static_cast<const unsigned char *>(image);
  if (size && size < 4)
    return {INVALID_IMAGE, "", "the image is neither PTX nor a fat binary"};
  // Byte by byte: a shorter text may end before its fourth byte.
  uint32_t magic = 0;
  for (int i = 0; i < 4 && (i == 0 || size || bytes[i - 1]); ++i)
    magic |= uint32_t(bytes[i]) << 8 * i;
  if (magic == wrapperMagic && !size) { // what nvcc puts into programs: magic, version, pointer
    bytes = at<const unsigned char *>(bytes + 8);
    if (!bytes)
      return {INVALID_IMAGE, "", "the fat binary's wrapper points nowhere"};
    magic = at<uint32_t>(bytes);
  }
  if (magic == fatMagic)
    return readFatBinary(bytes, size, arch);
  if (magic == elfMagic)
    return {NO_BINARY_FOR_GPU, "", "the image is machine code, which the virtual GPU does not execute: give it PTX"};
  const char *text = reinterpret_cast<const char *>(bytes);
  Image plain{.text = std::string(text, size ? strnlen(text, size) : std::strlen(text))};
  if (plain.text.find(".version") == std::string::npos && !plain.text.starts_with("//"))
    return {INVALID_IMAGE, "", "the image is neither PTX nor a fat binary"};
  return plain;
}

} // namespace tessera::vgpu::driver
