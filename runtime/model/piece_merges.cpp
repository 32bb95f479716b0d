#include "runtime/model/piece_merges.h"
#include <algorithm>
#include <queue>

namespace tessera::model {

// By the lead byte alone, as llama.cpp cuts texts for SentencePiece vocabularies.
static size_t characterBytes(char lead) {
  uint8_t byte = uint8_t(lead);
  return byte < 0xC0 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

std::vector<Piece> PieceMerges::merge(std::string_view text, const TokenIndex &tokens) const {
  // A doubly linked list over the characters: a merged pair lives on in its left node.
  struct Node {
    Piece piece;
    int32_t previous, next;
  };
  // Worse candidates compare greater; rank is the negative score where there are scores.
  struct Candidate {
    double rank;
    int32_t node;
    size_t bytes; // of the pair: other than now where one of the two has merged since
    int32_t token;
    bool operator>(const Candidate &other) const { return rank != other.rank ? rank > other.rank : node > other.node; }
  };
  std::vector<Node> nodes;
  for (size_t at = 0; at < text.size();) {
    std::string_view character = text.substr(at, characterBytes(text[at]));
    auto token = tokens.find(character);
    int32_t index = int32_t(nodes.size());
    nodes.push_back({{character, token == tokens.end() ? -1 : token->second}, index - 1, index + 1});
    at += character.size();
  }
  if (!nodes.empty())
    nodes.back().next = -1;

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  auto consider = [&](int32_t node) {
    if (node < 0 || nodes[size_t(node)].next < 0)
      return;
    const Piece &left = nodes[size_t(node)].piece, &right = nodes[size_t(nodes[size_t(node)].next)].piece;
    size_t bytes = left.text.size() + right.text.size();
    if (!score.empty()) {
      auto at = tokens.find({left.text.data(), bytes});
      if (at != tokens.end())
        queue.push({-double(score[size_t(at->second)]), node, bytes, at->second});
    } else if (auto at = merges.find(key(left.token, right.token)); at != merges.end()) {
      queue.push({double(at->second.rank), node, bytes, at->second.token});
    }
  };
  for (size_t i = 0; i < nodes.size(); ++i)
    consider(int32_t(i));

  while (!queue.empty()) {
    Candidate best = queue.top();
    queue.pop();
    Node &node = nodes[size_t(best.node)];
    if (node.piece.text.empty() || node.next < 0)
      continue;
    Node &swallowed = nodes[size_t(node.next)];
    if (node.piece.text.size() + swallowed.piece.text.size() != best.bytes)
      continue;
    node.piece = {{node.piece.text.data(), best.bytes}, best.token};
    swallowed.piece.text = {};
    node.next = swallowed.next;
    if (node.next >= 0)
      nodes[size_t(node.next)].previous = best.node;
    consider(node.previous);
    consider(best.node);
  }
  std::vector<Piece> pieces;
  for (int32_t i = nodes.empty() ? -1 : 0; i >= 0; i = nodes[size_t(i)].next)
    pieces.push_back(nodes[size_t(i)].piece);
  return pieces;
}

} // namespace tessera::model
