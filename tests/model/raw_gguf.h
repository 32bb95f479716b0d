// RawGguf: a GGUF file put together field by field, right or wrong, for tests of the reader.
#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <unistd.h>

namespace tessera::model {

struct RawGguf {
  std::string bytes;

  template <class T> RawGguf &put(T value) {
    bytes.append(reinterpret_cast<const char *>(&value), sizeof(T));
    return *this;
  }
  RawGguf &text(std::string_view value) {
    put<uint64_t>(value.size());
    bytes += value;
    return *this;
  }
  RawGguf &header(uint64_t tensors, uint64_t entries, uint32_t version = 3) {
    bytes += "GGUF";
    return put(version).put(tensors).put(entries);
  }
  // A key and the type of its value; the value is to follow.
  RawGguf &key(std::string_view name, uint32_t type) { return text(name).put(type); }
  // Extents fastest first, as in the file.
  RawGguf &tensor(std::string_view name, std::initializer_list<uint64_t> extents, uint32_t type, uint64_t offset) {
    text(name).put<uint32_t>(uint32_t(extents.size()));
    for (uint64_t extent : extents)
      put(extent);
    return put(type).put(offset);
  }
  RawGguf &data(size_t count, size_t alignment = 32) {
    bytes.resize((bytes.size() + alignment - 1) / alignment * alignment);
    bytes.resize(bytes.size() + count);
    return *this;
  }
};

// A file that goes with the test; in memory where the machine has that, for tests that write thousands.
class TemporaryFile {
public:
  explicit TemporaryFile(std::string_view bytes)
      : path((folder() / ("tessera-" + std::to_string(::getpid()) + ".gguf")).string()) {
    write(bytes);
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  void write(std::string_view bytes) const {
    std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
  }
  const std::string path;

private:
  static std::filesystem::path folder() {
    return std::filesystem::exists("/dev/shm") ? std::string("/dev/shm") : testing::TempDir();
  }
};

} // namespace tessera::model
