// PieceMerges: SentencePiece-style BPE: the characters of a text merged into pieces of a vocabulary, the best pair
// first.
#pragma once
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tessera::model {

using TokenIndex = std::unordered_map<std::string_view, int32_t>;

// A piece that remains after merging.
struct Piece {
  std::string_view text; // of the input
  int32_t token;         // -1: a character that the vocabulary lacks
};

// What a pair may become. Immutable and thread-safe once built; `tokens` must outlive it.
class PieceMerges {
public:
  // Any two pieces may merge into a token; the highest score goes first (GGUF).
  void useScores(std::vector<float> scores) { score = std::move(scores); }
  // Only listed pairs merge, in the order in which they were added (tokenizer.json). A pair that appeared before keeps
  // its first rank.
  void addMerge(int32_t left, int32_t right, int32_t merged) {
    merges.try_emplace(key(left, right), Merge{int32_t(merges.size()), merged});
  }

  // Of equally good pairs the leftmost goes first. O(n log n) lookups. Bytes that are no UTF-8 count as characters.
  std::vector<Piece> merge(std::string_view text, const TokenIndex &tokens) const;

private:
  struct Merge {
    int32_t rank, token;
  };
  static uint64_t key(int32_t left, int32_t right) { return uint64_t(uint32_t(left)) << 32 | uint32_t(right); }

  std::vector<float> score; // by token; empty where merges are listed
  std::unordered_map<uint64_t, Merge> merges;
};

} // namespace tessera::model
