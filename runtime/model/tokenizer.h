// Tokenizer: byte-level or SentencePiece-style BPE as a model file describes it, equal to llama.cpp's token by token.
#pragma once
#include "base/result.h"
#include "runtime/model/gguf.h"
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::model {

struct EncodeOptions {
  bool parseSpecial = true; // "<|im_end|>" in the text becomes its control token; else plain text
  bool addBos = true;       // only where the model wants a begin token at all
};

// Immutable, thread-safe, cheap to copy; holds its own memory.
class Tokenizer {
public:
  // Errors name the file and the key: another tokenizer model, an unknown pre-tokenizer, damaged lists.
  static Result<Tokenizer> fromGguf(const Gguf &file);

  // tokenizer.json of a folder, and tokenizer_config.json where it is there. `ends`: further tokens that end a text.
  // `limit`: how many tokens the model knows. Errors name the file and the key: what is no byte-level or
  // SentencePiece-style BPE, stages that are not supported, damaged lists. Text is not brought to NFC.
  static Result<Tokenizer> fromJson(const std::string &folder, std::span<const int32_t> ends, int64_t limit);

  // Any bytes are accepted, as in llama.cpp: for a byte-level vocabulary each byte that is no part of a UTF-8 character
  // reads as U+FFFD, and bytes for which there is no token are left out; a SentencePiece one spells what it lacks byte
  // by byte, or as its unknown token. O(n log n).
  Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options = {}) const;

  // The bytes of one token (not always whole UTF-8); control tokens and ids outside the vocabulary are empty.
  std::string_view piece(int32_t token) const;
  std::string decode(std::span<const int32_t> tokens) const;
  // The token as it is spelled in the vocabulary ("<|im_end|>", "Ġthe"), for reports.
  std::string_view spelling(int32_t token) const;
  std::optional<int32_t> find(std::string_view spelling) const;

  int64_t size() const;
  std::optional<int32_t> bos() const; // the token put before a prompt, where the model wants one
  // Whether generation ends at this token: end of sequence, end of turn and their kin.
  bool isEnd(int32_t token) const;

  struct State;

private:
  explicit Tokenizer(std::shared_ptr<const State> state) : state(std::move(state)) {}
  std::shared_ptr<const State> state;
};

// Cuts a stream of token pieces at UTF-8 borders, so that a terminal never gets half a character. Not thread-safe.
class Utf8Stream {
public:
  // What is complete after these bytes. Bytes that can never become UTF-8 pass through as U+FFFD.
  std::string push(std::string_view bytes);
  // What is left at the end: U+FFFD for an unfinished character.
  std::string finish();

private:
  std::string pending;
};

} // namespace tessera::model
