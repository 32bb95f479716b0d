// The byte-level BPE vocabulary of the tiny models: control tokens, 256 bytes, and merges learned from a page of prose.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tessera::model {

struct TinyVocabulary {
  std::vector<std::string> tokens; // as a GGUF file spells them
  std::vector<int32_t> types;      // tokenizer.ggml.token_type
  std::vector<std::string> merges;
};

// Ids of the control tokens "<|endoftext|>", "<|im_start|>", "<|im_end|>".
inline constexpr int32_t tinyEndOfText = 0, tinyTurnStart = 1, tinyTurnEnd = 2;
inline constexpr int64_t tinyVocabularyMinimum = 320;

// Exactly `size` tokens, at least tinyVocabularyMinimum. Where the prose has no pair left to merge, the rest are pairs
// of earlier tokens that only generation can reach.
TinyVocabulary makeTinyVocabulary(int64_t size);

} // namespace tessera::model
