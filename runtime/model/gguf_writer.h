// GgufWriter: builds a GGUF version 3 file in memory and writes it in one step.
#pragma once
#include "base/result.h"
#include "runtime/model/ggml_type.h"
#include "runtime/model/gguf_format.h"
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::model {

// Entries and tensors keep the order in which they were added. Trusts its caller: it checks nothing. Not thread-safe.
class GgufWriter {
public:
  void addInteger(std::string_view key, uint32_t value);
  void addReal(std::string_view key, float value);
  void addBoolean(std::string_view key, bool value);
  void addString(std::string_view key, std::string_view value);
  void addStrings(std::string_view key, std::span<const std::string> values);
  void addIntegers(std::string_view key, std::span<const int32_t> values);
  void addReals(std::string_view key, std::span<const float> values);
  // `shape` is row-major; `bytes` are the rows in the type's blocks.
  void addTensor(std::string_view name, const GgmlType &type, std::span<const int64_t> shape, std::string bytes);

  std::string bytes() const;
  // Writes beside `path` and renames, so that nobody sees half a file. Errors name the file.
  Status write(const std::string &path) const;

private:
  struct Tensor {
    std::string name;
    const GgmlType *type;
    std::vector<int64_t> shape;
    std::string bytes;
  };
  void key(std::string_view key, GgufType type);
  std::string entries;
  uint64_t entryCount = 0;
  std::vector<Tensor> tensors;
};

} // namespace tessera::model
