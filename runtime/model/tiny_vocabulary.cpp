#include "runtime/model/tiny_vocabulary.h"
#include "runtime/model/byte_alphabet.h"
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace tessera::model {

namespace {
constexpr std::string_view prose =
    "The mason lays one stone beside the other and looks at the line. A wall is nothing but stones and patience, she "
    "says, "
    "and the patience is the heavier part. In the morning the light comes low over the field and every edge throws a "
    "long "
    "shadow; then a crooked course can be seen from far away. In the evening all walls look straight. The young ones "
    "learn "
    "this slowly. They want to build the tower before they have understood the corner. She does not scold them. She "
    "lets "
    "them carry water, mix the lime, sort the small stones from the large ones, and watch. After some weeks their "
    "hands "
    "know what their heads were not told: which face of a stone wants to be outside, where it will break, how it rests "
    "on "
    "two and ties them together. The river brings new stones every spring. Some are round and good for nothing but the "
    "bed of a road; some are flat, and people come from the next valley to ask for them. When the work is done there "
    "is "
    "bread and cheese and a story about the old bridge, which was built three times. The first bridge was too proud, "
    "the "
    "second was too cheap, and the third is still there. Nobody remembers who made it. It carries carts, sheep, "
    "children "
    "and the rain, and it asks for nothing. Numbers have their place too: measure twice, cut once, count the days "
    "until "
    "the frost. A good plan fits on one hand. What does not fit should wait for another year, or for another hand.";

using Word = std::vector<std::string>; // its symbols, as spelled

std::vector<Word> proseWords() {
  std::vector<Word> words(1);
  for (char c : prose) {
    bool isLetter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!isLetter)
      words.emplace_back();
    words.back().emplace_back(spellByte(uint8_t(c)));
  }
  return words;
}

// The most frequent pair, the first in alphabetical order of equals; its count is 0 where no word has two symbols.
std::pair<std::pair<std::string, std::string>, int> commonestPair(const std::vector<Word> &words) {
  std::map<std::pair<std::string, std::string>, int> counts;
  for (const Word &word : words)
    for (size_t i = 1; i < word.size(); ++i)
      ++counts[{word[i - 1], word[i]}];
  std::pair<std::pair<std::string, std::string>, int> best;
  for (const auto &[pair, count] : counts)
    if (count > best.second)
      best = {pair, count};
  return best;
}

void mergePair(Word &word, const std::pair<std::string, std::string> &pair) {
  for (size_t i = 1; i < word.size(); ++i)
    if (word[i - 1] == pair.first && word[i] == pair.second) {
      word[i - 1] += word[i];
      word.erase(word.begin() + int64_t(i));
    }
}
} // namespace

TinyVocabulary makeTinyVocabulary(int64_t size) {
  constexpr int32_t normal = 1, control = 3;
  TinyVocabulary result;
  result.tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  result.types.assign(result.tokens.size(), control);
  std::set<std::string> known;
  auto add = [&](const std::string &token) {
    if (int64_t(result.tokens.size()) == size || !known.insert(token).second)
      return;
    result.tokens.push_back(token);
    result.types.push_back(normal);
  };
  for (int byte = 0; byte < 256; ++byte)
    add(std::string(spellByte(uint8_t(byte))));

  std::vector<Word> words = proseWords();
  while (int64_t(result.tokens.size()) < size) {
    auto [pair, count] = commonestPair(words);
    if (count == 0)
      break;
    result.merges.push_back(pair.first + " " + pair.second);
    add(pair.first + pair.second);
    for (Word &word : words)
      mergePair(word, pair);
  }
  // Sums of earlier tokens, nearest first, so that every size has its tokens.
  for (size_t distance = 1; int64_t(result.tokens.size()) < size; ++distance)
    for (size_t i = 3; i + distance < result.tokens.size() && int64_t(result.tokens.size()) < size; ++i)
      add(result.tokens[i] + result.tokens[i + distance]);
  return result;
}

} // namespace tessera::model
