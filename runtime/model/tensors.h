// Tensors: the named tensors of a model, whichever kind of file holds them.
#pragma once
#include "base/result.h"
#include "runtime/model/ggml_type.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::model {

// One tensor. The shape is row-major: a weight matrix is [rows (outputs), columns (inputs)], where a GGUF file itself
// lists the extents fastest first. Rows of block formats lie one after another, columns / block blocks each.
struct StoredTensor {
  std::string_view name;
  const GgmlType *type;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes; // in the mapping; of a GGUF file aligned to general.alignment (32 by default)

  int64_t elements() const;
  std::string shapeText() const; // "[576, 1536]"
};

// "[576, 1536]"
std::string shapeText(std::span<const int64_t> shape);

// Immutable, thread-safe and cheap to copy; whatever the views point into lives as long as any copy. Names are GGUF's
// ("blk.0.attn_q.weight"), whatever the file calls them.
class Tensors {
public:
  // `path` opens every message; `owner` keeps names and bytes alive. Names must be unique.
  Tensors(std::string path, std::vector<StoredTensor> tensors, std::shared_ptr<const void> owner);

  const std::string &path() const { return state->path; }
  std::span<const StoredTensor> all() const { return state->tensors; } // sorted by name
  const StoredTensor *find(std::string_view name) const;
  // The tensor of that name and shape, or an error that names both.
  Result<const StoredTensor *> require(std::string_view name, std::span<const int64_t> shape) const;
  // "<path>: <what>", the form of all errors about this model.
  std::string about(std::string_view what) const { return state->path + ": " + std::string(what); }

private:
  struct State {
    std::string path;
    std::vector<StoredTensor> tensors;
    std::shared_ptr<const void> owner;
  };
  std::shared_ptr<const State> state;
};

} // namespace tessera::model
