// Gguf: a GGUF version 3 file, mapped, with every size, count and offset checked before it is used.
#pragma once
#include "base/result.h"
#include "runtime/model/tensors.h"
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::model {

using GgufTensor = StoredTensor;

// Immutable, thread-safe and cheap to copy; views and spans live as long as any copy. Every error is one sentence that
// starts with the file's path. Source: the GGUF specification (ggml/docs/gguf.md), version 3, little-endian.
class Gguf {
public:
  // Maps and checks the whole header. Memory use is bounded by the file's size, whatever its counts claim.
  static Result<Gguf> open(const std::string &path);

  const std::string &path() const;
  uint64_t fileBytes() const;

  bool has(std::string_view key) const;
  // The value of a metadata key, or an error that names the key (missing, wrong type, out of range).
  // T: bool, int64_t (any integer type that fits), double (any float type), std::string_view,
  // std::vector<int64_t>, std::vector<double>, std::vector<std::string_view>.
  template <class T> Result<T> get(std::string_view key) const;
  // The same, with a fallback where the key is absent. A wrong type is still an error.
  template <class T> Result<T> getOr(std::string_view key, T fallback) const {
    if (!has(key))
      return fallback;
    return get<T>(key);
  }

  std::span<const GgufTensor> tensors() const; // in the file's order
  const GgufTensor *find(std::string_view name) const;
  Tensors named() const; // the same, for readers that do not care which kind of file it was

  // "<path>: <what>", the form of all errors about this file.
  std::string about(std::string_view what) const;

private:
  struct State;
  explicit Gguf(std::shared_ptr<const State> state) : state(std::move(state)) {}
  std::shared_ptr<const State> state;
  friend class GgufParser;
};

} // namespace tessera::model
