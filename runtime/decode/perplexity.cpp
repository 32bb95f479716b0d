#include "runtime/decode/perplexity.h"
#include "runtime/decode/sampler.h"
#include <cmath>

namespace tessera::decode {

Result<Perplexity> perplexity(Model &model, std::span<const int32_t> tokens, int64_t context) {
  if (context < 4 || context % 2 != 0 || context > model.context())
    return invalidArgument("a chunk of " + std::to_string(context) +
                           " tokens is not an even number from 4 to the context of " + std::to_string(model.context()));
  if (int64_t(tokens.size()) < context)
    return invalidArgument("the text has " + std::to_string(tokens.size()) + " tokens, less than one chunk of " +
                           std::to_string(context));
  size_t size = size_t(context), vocab = size_t(model.config().vocab);
  Perplexity result;
  double loss = 0;
  for (; tokens.size() >= size; tokens = tokens.subspan(size)) {
    std::vector<float> logits = TESSERA_TRY(model.logits(tokens.first(size)));
    for (size_t at = size / 2; at + 1 < size; ++at, ++result.scored) {
      result.losses.push_back(-logProbability(std::span(logits).subspan(at * vocab, vocab), tokens[at + 1]));
      loss += result.losses.back();
    }
  }
  result.value = std::exp(loss / double(result.scored));
  return result;
}

} // namespace tessera::decode
