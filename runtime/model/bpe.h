// BpeMerges: the ranked merges of a byte-level BPE vocabulary and the greedy merging of one word.
#pragma once
#include "base/result.h"
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tessera::model {

// Symbols are byte strings: 0 to 255 are the single bytes, the rest come from merges. Immutable and thread-safe once
// built.
class BpeMerges {
public:
  BpeMerges();
  // The next merge in rank order, as the file spells it: two halves and a space between. False where it is malformed. A
  // pair that appeared before keeps its first rank; halves outside the byte alphabet can never meet and are skipped.
  bool add(std::string_view merge);

  // Merges the word's bytes pair by pair, always the lowest rank, leftmost first, and appends the symbols that remain.
  // O(n log n).
  void merge(std::string_view word, std::vector<int32_t> &symbols) const;

  std::string_view bytes(int32_t symbol) const { return texts[size_t(symbol)]; }
  size_t size() const { return texts.size(); }

private:
  struct Merge {
    int32_t rank, symbol;
  };
  int32_t intern(const std::string &bytes);
  static uint64_t key(int32_t left, int32_t right) { return uint64_t(uint32_t(left)) << 32 | uint32_t(right); }

  std::vector<std::string> texts;
  std::unordered_map<std::string, int32_t> symbolOf;
  std::unordered_map<uint64_t, Merge> merges;
  int32_t nextRank = 0;
};

} // namespace tessera::model
