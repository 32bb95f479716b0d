// make-model: writes a tiny random llama model with its own byte-level BPE tokenizer, for tests and offline demos.
#pragma once
#include "base/result.h"
#include <cstdint>
#include <string>

namespace tessera::model {

// The defaults give a model of a few hundred kilobytes. hidden and feedForward must be multiples of 32.
struct ModelShape {
  int64_t layers = 2;
  int64_t hidden = 64;
  int64_t feedForward = 256;
  int64_t heads = 4;
  int64_t kvHeads = 2;
  int64_t vocab = 1024; // at least 320: 256 bytes, the control tokens and a few merges
  int64_t context = 256;
  bool tiedHead = true;
};

struct ModelOptions {
  ModelShape shape;
  std::string arch = "llama";
  std::string quant = "Q4_1"; // of the matrices: Q4_1, Q4_0, Q8_0 or F16; a tied embedding is Q8_0 beside Q4_x
  uint64_t seed = 1;
};

// The same options give the same bytes on every machine. Writes to a temporary name and renames. Errors name the
// option or the file.
Status makeModel(const std::string &path, const ModelOptions &options);

} // namespace tessera::model
