// Safetensors: one safetensors file, mapped, with every size and offset checked before it is used.
#pragma once
#include "base/result.h"
#include "runtime/model/mapped_file.h"
#include "runtime/model/tensors.h"
#include <memory>
#include <string>
#include <vector>

namespace tessera::model {

// One tensor under the file's own name. The bytes have no alignment.
struct SafetensorsEntry {
  std::string name;
  const GgmlType *type;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

struct Safetensors {
  std::shared_ptr<const MappedFile> file; // keeps the bytes
  std::vector<SafetensorsEntry> tensors;  // in the order of their bytes

  // Errors start with the path: a header that is no JSON object of tensors, a type that is unknown here, shapes, sizes
  // and offsets that do not agree, tensors that overlap or leave a gap. Source: the format's description
  // (github.com/huggingface/safetensors, "Format").
  static Result<Safetensors> open(const std::string &path);
};

} // namespace tessera::model
