#include "ops/reference/reference.h"
#include <algorithm>
#include <cmath>
#include <limits>

namespace tessera::reference {

// Softmax weights of one query over the positions [0, scores.size()), in place.
template <class T> static void normalize(std::vector<T> &scores, const T *sink) {
  T top = sink ? *sink : -std::numeric_limits<T>::infinity();
  for (T s : scores)
    top = std::max(top, s);
  T sum = sink ? std::exp(*sink - top) : T(0);
  for (T &s : scores)
    sum += s = top == -std::numeric_limits<T>::infinity() ? T(0) : std::exp(s - top);
  for (T &s : scores)
    s = sum > 0 ? s / sum : T(0);
}

template <class T> static T score(const Scores &options, T product, int64_t d, int64_t distance, int64_t head) {
  T s = options.scale ? product * T(options.scale) : product / std::sqrt(T(d));
  if (options.softCap)
    s = T(options.softCap) * std::tanh(s / T(options.softCap));
  if (!options.slopes.empty())
    s -= T(options.slopes[head]) * T(distance);
  bool visible = (!options.causal || distance >= 0) && (!options.window || distance < options.window);
  return visible ? s : -std::numeric_limits<T>::infinity();
}

// Dots are chains of fma, as the language's are: in T = float this is the algorithm that kernels are judged against.
template <class T>
std::vector<T> attention(const AttentionShape &s, Values q, Values k, Values v, Ints table, Ints length,
                         const Scores &options) {
  const CacheShape &c = s.cache;
  int64_t d = c.headDim, group = s.heads / c.kvHeads;
  std::vector<T> o(s.batch * s.queries * s.heads * d, T(0));
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t i = 0; i < s.queries; ++i)
      for (int64_t h = 0; h < s.heads; ++h) {
        int64_t row = ((b * s.queries + i) * s.heads + h) * d, position = length[b] - s.queries + i;
        auto element = [&](int64_t p, int64_t e) {
          int64_t page = table[b * s.slots + p / c.pageSize];
          return ((page * c.kvHeads + h / group) * c.pageSize + p % c.pageSize) * d + e;
        };
        std::vector<T> weights(length[b], T(0));
        for (int64_t p = 0; p < length[b]; ++p) {
          for (int64_t e = 0; e < d; ++e)
            weights[p] = std::fma(T(q[row + e]), T(k[element(p, e)]), weights[p]);
          weights[p] = score(options, weights[p], d, position - p, h);
        }
        T sink = options.sinks.empty() ? T(0) : T(options.sinks[h]);
        normalize(weights, options.sinks.empty() ? nullptr : &sink);
        for (size_t p = 0; p < weights.size(); ++p)
          for (int64_t e = 0; e < d && weights[p] != T(0); ++e)
            o[row + e] = std::fma(weights[p], T(v[element(p, e)]), o[row + e]);
      }
  return o;
}
template std::vector<float> attention(const AttentionShape &, Values, Values, Values, Ints, Ints, const Scores &);
template std::vector<double> attention(const AttentionShape &, Values, Values, Values, Ints, Ints, const Scores &);

std::vector<double> alibiSlopes(int64_t heads) {
  int64_t n = 1;
  while (n * 2 <= heads)
    n *= 2;
  std::vector<double> slopes;
  for (int64_t i = 0; i < n; ++i)
    slopes.push_back(std::exp2(-8.0 * double(i + 1) / double(n)));
  for (int64_t i = 0; int64_t(slopes.size()) < heads; i += 2)
    slopes.push_back(std::exp2(-4.0 * double(i + 1) / double(n)));
  return slopes;
}

} // namespace tessera::reference
