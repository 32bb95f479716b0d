#include "ops/rope_tables.h"
#include <algorithm>
#include <cmath>
#include <numbers>

namespace tessera::ops {

using Kind = RopeScaling::Kind;

static constexpr double turn = 2 * std::numbers::pi;

// The pair, as a fraction, that turns `turns` times within the original context.
static double pairOfTurns(double turns, int64_t n, double base, const RopeScaling &s) {
  return double(n) * std::log(double(s.original) / (turns * turn)) / (2 * std::log(base));
}

// The share of f / factor in pair i.
static double yarnShare(int64_t i, int64_t n, double base, const RopeScaling &s) {
  double low = std::max(std::floor(pairOfTurns(s.betaFast, n, base, s)), 0.0);
  double high = std::min(std::ceil(pairOfTurns(s.betaSlow, n, base, s)), double(n - 1));
  return std::clamp((double(i) - low) / std::max(high - low, 0.001), 0.0, 1.0);
}

static double llama3Share(double frequency, const RopeScaling &s) {
  double turns = double(s.original) * frequency / turn; // within the original context
  return 1 - std::clamp((turns - s.lowFactor) / (s.highFactor - s.lowFactor), 0.0, 1.0);
}

static double magnitudeOf(const RopeScaling &s, int64_t context) {
  if (s.attentionFactor > 0)
    return s.attentionFactor;
  if (s.kind == Kind::yarn)
    return s.factor > 1 ? 0.1 * std::log(s.factor) + 1 : 1;
  double stretch = s.factor > 1 ? s.factor : double(context) / double(s.original);
  if (s.kind == Kind::longRope && stretch > 1)
    return std::sqrt(1 + std::log(stretch) / std::log(double(s.original)));
  return 1;
}

RopeFrequencies ropeFrequencies(int64_t n, double base, const RopeScaling &s, int64_t context) {
  if (s.kind == Kind::ntk && context > s.original && n > 2)
    base *= std::pow(s.factor * double(context) / double(s.original) - s.factor + 1, double(n) / double(n - 2));
  bool isLong = s.kind == Kind::longRope && context > s.original;
  const std::vector<float> &divisors = isLong ? s.longFactors : s.factors;

  RopeFrequencies result{{}, magnitudeOf(s, context)};
  for (int64_t i = 0; i < n / 2; ++i) {
    double f = std::pow(base, -2.0 * double(i) / double(n)), slow = f / s.factor, share = 0;
    if (s.kind == Kind::linear)
      share = 1;
    else if (s.kind == Kind::yarn)
      share = yarnShare(i, n, base, s);
    else if (s.kind == Kind::llama3)
      share = llama3Share(f, s);
    f = slow * share + f * (1 - share);
    result.frequency.push_back(divisors.empty() ? f : f / double(divisors[size_t(i)]));
  }
  return result;
}

RopeTable ropeTable(const RopeFrequencies &frequencies, int64_t positions) {
  RopeTable table;
  size_t pairs = frequencies.frequency.size();
  table.cos.resize(size_t(positions) * pairs), table.sin.resize(table.cos.size());
  for (int64_t p = 0; p < positions; ++p)
    for (size_t i = 0; i < pairs; ++i) {
      double angle = double(p) * frequencies.frequency[i];
      table.cos[size_t(p) * pairs + i] = float(std::cos(angle) * frequencies.magnitude);
      table.sin[size_t(p) * pairs + i] = float(std::sin(angle) * frequencies.magnitude);
    }
  return table;
}

} // namespace tessera::ops
