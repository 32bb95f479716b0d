// The tensor types that a GGUF file may hold, each one a row of data.
#pragma once
#include "base/dtype.h"
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tessera::model {

// `block` consecutive values of a row take `blockBytes` bytes. Source: ggml.h (enum ggml_type) and ggml-common.h.
struct GgmlType {
  uint32_t id; // as in the file
  std::string_view name;
  int64_t block;
  int64_t blockBytes;
  std::optional<DType> dtype; // ours, where the operators can read it
};

std::span<const GgmlType> ggmlTypes();
const GgmlType *ggmlType(uint32_t id);                 // null where unknown
const GgmlType *ggmlType(DType dtype);                 // null where a file cannot hold it
const GgmlType *ggmlTypeByName(std::string_view name); // "Q4_1", "F16"; null where unknown

} // namespace tessera::model
