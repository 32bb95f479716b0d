#include "runtime/decode/sampler.h"
#include <cmath>

namespace tessera::decode {

Pcg32::Pcg32(uint64_t seed, uint64_t stream) : state(0), increment(stream << 1 | 1) {
  next();
  state += seed;
  next();
}

uint32_t Pcg32::next() {
  constexpr uint64_t multiplier = 6364136223846793005ULL;
  uint64_t old = state;
  state = old * multiplier + increment;
  uint32_t mixed = uint32_t((old >> 18 ^ old) >> 27);
  int turn = int(old >> 59);
  return mixed >> turn | mixed << (-turn & 31);
}

double Pcg32::uniform() {
  uint64_t high = next() >> 5, low = next() >> 6; // 27 and 26 bits
  return double(high << 26 | low) * 0x1p-53;
}

static double largest(std::span<const float> logits) {
  double top = -INFINITY;
  for (float logit : logits)
    if (logit > top)
      top = logit;
  return top;
}

int32_t Sampler::draw(std::span<const float> logits) {
  double top = largest(logits), total = 0;
  auto weight = [&](float logit) { return logit <= top ? std::exp((logit - top) / temperature) : 0; };
  for (float logit : logits)
    total += weight(logit);
  double target = random.uniform() * total, below = 0;
  int32_t last = 0; // the last token that can be drawn, should rounding carry the target past the sum
  for (size_t i = 0; i < logits.size(); ++i) {
    double w = weight(logits[i]);
    if (w == 0)
      continue;
    last = int32_t(i);
    below += w;
    if (target < below)
      break;
  }
  return last;
}

double logProbability(std::span<const float> logits, int32_t token) {
  double top = largest(logits), total = 0;
  for (float logit : logits)
    if (logit <= top)
      total += std::exp(logit - top);
  return logits[size_t(token)] - top - std::log(total);
}

} // namespace tessera::decode
