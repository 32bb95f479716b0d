// What a tokenizer holds, read from GGUF metadata. Private to the tokenizer.
#pragma once
#include "runtime/model/bpe.h"
#include "runtime/model/piece_merges.h"
#include "runtime/model/pretokenizer.h"
#include "runtime/model/tokenizer.h"
#include <array>
#include <optional>
#include <unordered_map>

namespace tessera::model {

// llama.cpp's token types, as tokenizer.ggml.token_type numbers them.
enum class TokenType : uint8_t { normal = 1, unknown, control, userDefined, unused, byte };

// White space around a special token that belongs to it.
enum Strip : uint8_t { stripNone = 0, stripLeft = 1, stripRight = 2 };

// Where text gains a leading space: nowhere, at the very beginning, or after every special token too.
enum class Prefix { never, first, always };

// A vocabulary that cuts text into words and merges their bytes.
struct ByteLevel {
  Pretokenizer pretokenizer;
  BpeMerges merges;
  bool ignoreMerges = false;
  std::vector<int32_t> tokenOf; // per symbol of merges; -1 where the vocabulary lacks it
};

// A vocabulary that merges characters, spaces written as U+2581, and spells what it lacks byte by byte.
struct SentencePiece {
  PieceMerges merges;
  Prefix prefix = Prefix::always;
  bool prefixUnlessSpaced = false; // a text that begins with a space gains none
  bool splitAtSpaces = false;      // merges do not cross the begin of a word
  std::array<int32_t, 256> bytes;  // tokens "<0x00>" ... "<0xFF>"; -1 where the vocabulary lacks them
  std::optional<int32_t> unknown;  // stands for bytes without a token
  bool fuseUnknown = false;        // one for a run of them
};

struct Tokenizer::State {
  std::vector<std::string> spellings;
  std::vector<std::string> pieces; // bytes
  std::vector<TokenType> types;
  TokenIndex byName;            // views into spellings; the last of equals
  std::vector<int32_t> special; // matched in raw text, longest spelling first
  std::vector<uint8_t> strips;  // Strip, by token; empty where no token does
  std::vector<bool> ends;
  std::optional<int32_t> bos;

  // One of the two.
  std::optional<ByteLevel> byteLevel;
  std::optional<SentencePiece> sentencePiece;
};

// The parts that readers of every kind of file share. `types` and `spellings` must be there.
void indexNames(Tokenizer::State &state);
void findByteTokens(Tokenizer::State &state); // of a SentencePiece vocabulary
// Symbols to tokens, of a byte-level vocabulary.
void indexSymbols(Tokenizer::State &state);
// Sets `special`, `pieces` and the ends that are known by their spelling; `ends` may hold others already.
void finishTokenizer(Tokenizer::State &state);

// Reads the state; errors name the file and the key.
Result<std::shared_ptr<const Tokenizer::State>> readTokenizer(const Gguf &file);

} // namespace tessera::model
