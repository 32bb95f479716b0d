// What a tokenizer holds, read from GGUF metadata. Private to the tokenizer.
#pragma once
#include "runtime/model/bpe.h"
#include "runtime/model/pretokenizer.h"
#include "runtime/model/tokenizer.h"
#include <optional>
#include <unordered_map>

namespace tessera::model {

// llama.cpp's token types, as tokenizer.ggml.token_type numbers them.
enum class TokenType : uint8_t { normal = 1, unknown, control, userDefined, unused, byte };

struct Tokenizer::State {
  std::vector<std::string> spellings;
  std::vector<std::string> pieces; // bytes
  std::vector<TokenType> types;
  std::unordered_map<std::string_view, int32_t> byName; // views into spellings; the last of equals
  std::vector<int32_t> special;                         // matched in raw text, longest spelling first
  std::vector<bool> ends;
  std::optional<int32_t> bos;

  Pretokenizer pretokenizer;
  BpeMerges merges;
  bool ignoreMerges = false;
  std::vector<int32_t> tokenOf; // per symbol of merges; -1 where the vocabulary lacks it
};

// Reads the state; errors name the file and the key.
Result<std::shared_ptr<const Tokenizer::State>> readTokenizer(const Gguf &file);

} // namespace tessera::model
