// Pretokenizer: the regexes that cut a text into words before byte-pair merging, one row a family of models.
#pragma once
#include "base/result.h"
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::model {

// A family as `tokenizer.ggml.pre` names it. The regexes are applied one after another: each cuts the pieces that the
// ones before it left, and what lies between its matches is a piece too. Source: llama.cpp's llama-vocab.cpp.
struct PretokenizerFamily {
  std::vector<std::string_view> names; // the first is the family's own
  std::vector<std::string_view> regexes;
  bool ignoreMerges; // a word that is a token is taken whole, without merging
  bool addBos;       // the default where the file says nothing
};

std::span<const PretokenizerFamily> pretokenizerFamilies();
// Null where unknown.
const PretokenizerFamily *pretokenizerFamily(std::string_view name);

// Compiled regexes. Immutable and thread-safe.
class Pretokenizer {
public:
  static Result<Pretokenizer> compile(std::span<const std::string_view> regexes);
  // Cuts structurally whole UTF-8 (repairUtf8) into pieces that together are the text.
  Result<std::vector<std::string_view>> split(std::string_view text) const;

private:
  std::vector<std::shared_ptr<void>> patterns; // pcre2_code
};

} // namespace tessera::model
