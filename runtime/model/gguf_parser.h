// GgufParser: one checked walk over a GGUF header. Private to the model readers.
#pragma once
#include "runtime/model/gguf.h"
#include "runtime/model/gguf_format.h"
#include "runtime/model/mapped_file.h"
#include <utility>

namespace tessera::model {

struct Gguf::State {
  std::string path;
  std::shared_ptr<const MappedFile> file;
  std::vector<std::pair<std::string_view, GgufValue>> entries; // sorted by key
  std::vector<GgufTensor> tensors;                             // in the file's order
  std::vector<size_t> byName;                                  // indices into tensors, sorted by name
};

class GgufParser {
public:
  explicit GgufParser(Gguf::State &state) : state(state), bytes(state.file->bytes()) {}
  Status parse();

private:
  Status header();
  Status entry(uint64_t number);
  Result<GgufValue> value(std::string_view key);
  Status skipElements(GgufType element, uint64_t count, int depth, std::string_view where);
  Status tensor(uint64_t number);
  Status data();
  Status sortNames();
  Status checkOverlap();

  // Reads at the cursor, or fails naming what was being read.
  template <class T> Result<T> read(std::string_view what);
  Result<std::string_view> string(std::string_view what, uint64_t limit);
  Error fail(std::string_view what) const;
  Error truncated(std::string_view what) const;
  uint64_t left() const { return bytes.size() - at; }

  Gguf::State &state;
  std::span<const std::byte> bytes;
  uint64_t at = 0;
  uint64_t tensorCount = 0, entryCount = 0;
  uint64_t alignment = 32;
  std::vector<uint64_t> offsets; // per tensor, from the data section's start
};

} // namespace tessera::model
