#include "ops/reference/reference.h"
#include <algorithm>
#include <cmath>

namespace tessera::reference {

// Softmax weights of one query over the positions [0, scores.size()), in place.
template <class T> static void normalize(std::vector<T> &scores) {
  T top = *std::max_element(scores.begin(), scores.end()), sum = 0;
  for (T &s : scores)
    sum += s = std::exp(s - top);
  for (T &s : scores)
    s /= sum;
}

template <class T>
std::vector<T> attention(const AttentionShape &s, Values q, Values k, Values v, Ints table, Ints length) {
  const CacheShape &c = s.cache;
  int64_t d = c.headDim, group = s.heads / c.kvHeads;
  std::vector<T> o(s.batch * s.queries * s.heads * d, T(0));
  for (int64_t b = 0; b < s.batch; ++b)
    for (int64_t i = 0; i < s.queries; ++i)
      for (int64_t h = 0; h < s.heads; ++h) {
        int64_t row = ((b * s.queries + i) * s.heads + h) * d, visible = length[b] - s.queries + i + 1;
        auto element = [&](int64_t p, int64_t e) {
          int64_t page = table[b * s.slots + p / c.pageSize];
          return ((page * c.kvHeads + h / group) * c.pageSize + p % c.pageSize) * d + e;
        };
        std::vector<T> weights(std::max<int64_t>(visible, 0), T(0));
        for (size_t p = 0; p < weights.size(); ++p) {
          for (int64_t e = 0; e < d; ++e)
            weights[p] += T(q[row + e]) * T(k[element(p, e)]);
          weights[p] /= std::sqrt(T(d));
        }
        if (weights.empty())
          continue;
        normalize(weights);
        for (size_t p = 0; p < weights.size(); ++p)
          for (int64_t e = 0; e < d; ++e)
            o[row + e] += weights[p] * T(v[element(p, e)]);
      }
  return o;
}
template std::vector<float> attention(const AttentionShape &, Values, Values, Values, Ints, Ints);
template std::vector<double> attention(const AttentionShape &, Values, Values, Values, Ints, Ints);

} // namespace tessera::reference
