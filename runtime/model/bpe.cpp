#include "runtime/model/bpe.h"
#include "runtime/model/byte_alphabet.h"
#include <optional>
#include <queue>

namespace tessera::model {

BpeMerges::BpeMerges() {
  for (int byte = 0; byte < 256; ++byte)
    intern(std::string(1, char(byte)));
}

int32_t BpeMerges::intern(const std::string &bytes) {
  auto [at, isNew] = symbolOf.try_emplace(bytes, int32_t(texts.size()));
  if (isNew)
    texts.push_back(bytes);
  return at->second;
}

bool BpeMerges::add(std::string_view merge) {
  size_t space = merge.find(' ', 1);
  if (space == std::string_view::npos || space + 1 == merge.size())
    return false;
  int32_t rank = nextRank++;
  std::optional<std::string> left = unspellBytes(merge.substr(0, space));
  std::optional<std::string> right = unspellBytes(merge.substr(space + 1));
  if (left && right)
    merges.try_emplace(key(intern(*left), intern(*right)), Merge{rank, intern(*left + *right)});
  return true;
}

void BpeMerges::merge(std::string_view word, std::vector<int32_t> &symbols) const {
  // A doubly linked list over the word's bytes: a merged pair lives on in its left node.
  struct Node {
    int32_t symbol, previous, next;
  };
  struct Candidate {
    int32_t rank, node, left, right, merged;
    bool operator>(const Candidate &other) const { return rank != other.rank ? rank > other.rank : node > other.node; }
  };
  int32_t size = int32_t(word.size());
  std::vector<Node> nodes(word.size());
  for (int32_t i = 0; i < size; ++i)
    nodes[i] = {uint8_t(word[i]), i - 1, i + 1 < size ? i + 1 : -1};

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  auto consider = [&](int32_t node) {
    if (node < 0 || nodes[node].next < 0)
      return;
    int32_t left = nodes[node].symbol, right = nodes[nodes[node].next].symbol;
    if (auto at = merges.find(key(left, right)); at != merges.end())
      queue.push({at->second.rank, node, left, right, at->second.symbol});
  };
  for (int32_t i = 0; i < size; ++i)
    consider(i);

  while (!queue.empty()) {
    Candidate best = queue.top();
    queue.pop();
    Node &node = nodes[best.node];
    // A node that took part in another merge since has changed its symbol; a swallowed one has -1.
    if (node.symbol != best.left || node.next < 0 || nodes[node.next].symbol != best.right)
      continue;
    Node &swallowed = nodes[node.next];
    node.symbol = best.merged;
    swallowed.symbol = -1;
    node.next = swallowed.next;
    if (node.next >= 0)
      nodes[node.next].previous = best.node;
    consider(node.previous);
    consider(best.node);
  }
  for (int32_t i = 0; i >= 0 && i < size; i = nodes[i].next)
    symbols.push_back(nodes[i].symbol);
}

} // namespace tessera::model
