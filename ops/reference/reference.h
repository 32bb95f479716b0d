// The oracles: every op in plain C++, slow and obviously right. For tests only; the product never calls them.
// `T` is the arithmetic: double gives the oracle, float the same algorithm in the precision of an f32 kernel (the
// adaptive tolerance rule compares a kernel's error with that one's). Inputs are doubles that hold the exact values of
// the kernel's inputs; tensors are row-major. Nothing is checked: spans must have the stated shapes. Thread-safe.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace tessera::reference {

using Values = std::span<const double>;
using Ints = std::span<const int32_t>;

struct MatmulShape {
  int64_t m, n, k;
};

// C[m,n] = sum_k A[m,k] B[k,n].
template <class T> std::vector<T> gemm(MatmulShape shape, Values a, Values b);

// parts[s,m,n] = the same over the s-th range of k: equal ranges of whole steps, the last ones shorter or empty.
std::vector<double> gemmSplit(MatmulShape shape, int64_t splits, int64_t step, Values a, Values b);
// The sum of parts [splits, ...].
std::vector<double> gemmMerge(int64_t splits, Values parts);

// What GemmStream leaves: C, NaN where a block is not whole, and parts [workers, 2, block], NaN where nobody wrote.
struct BlockedShape {
  int64_t m, n, k;
};
struct Streamed {
  std::vector<double> c, parts;
};
Streamed gemmStream(MatmulShape shape, BlockedShape block, int64_t workers, Values a, Values b);
// C of it with the shares of every block added up.
std::vector<double> gemmFix(MatmulShape shape, BlockedShape block, const Streamed &streamed);

// x [k, n] in panels of so many columns: [panels, k, panel], zero past n.
std::vector<double> pack(int64_t n, int64_t k, int64_t panel, Values x);

// C[m,n] = sum_k A[m,k] W[n,k]: weights lie one output row after the other.
template <class T> std::vector<T> matmulTransposed(MatmulShape shape, Values a, Values w);

// Activations in 8 bits, `group` consecutive values of a row sharing one scale.
struct Quantized {
  std::vector<int8_t> codes;  // [rows, columns]
  std::vector<float> scale;   // [rows, columns / group]
  std::vector<int32_t> sum;   // [rows, columns / group]: the sum of the group's codes
  std::vector<double> values; // [rows, columns]: code x scale, exact
};
// d = max|x| / 127 in f32; code = x / d in f32, rounded half to even. A block whose d is below 2^-100 is all zero.
// Convention: the scale stays f32 (ggml's Q8_1 rounds it to f16).
Quantized quantize(std::span<const float> x, int64_t columns, int64_t group = 32);

// y = x · rsqrt(mean(x²) + eps) · w over rows of w.size() values.
template <class T> std::vector<T> rmsNorm(Values x, Values w, double eps);

// Rows of w.size() channels, each a run of `run` values, in `groups` equal groups: y = (x - mean) / sqrt(var + eps) ·
// w[c] + b[c] with the mean and the variance of a row's group. An empty b is zero.
struct GroupShape {
  size_t groups, run;
};
template <class T> std::vector<T> groupNorm(GroupShape shape, Values x, Values w, Values b, double eps);
// The same of whole rows of w.size() values.
template <class T> std::vector<T> layerNorm(Values x, Values w, Values b, double eps);

// Which coordinates of a head turn together, and how many turn at all.
struct RopeShape {
  int64_t heads, headDim, rotaryDim;
  bool interleaved; // pairs (2i, 2i+1) as in GPT-J; else (i, i + rotaryDim/2) as in NeoX
};
// x [T, heads, headDim], pos [T], cos and sin [P, rotaryDim / 2]. Coordinates past rotaryDim are copied.
template <class T> std::vector<T> rope(RopeShape shape, Values x, Ints pos, Values cosTable, Values sinTable);
// sections: pos [3, T], and pair i takes the row of pos that its section says.
template <class T>
std::vector<T> rope(RopeShape shape, std::array<int, 3> sections, Values x, Ints pos, Values cosTable, Values sinTable);
// cos and sin of p · theta^(-2i / rotaryDim), i < rotaryDim / 2, p < positions.
struct RopeTables {
  std::vector<double> cosTable, sinTable;
};
RopeTables ropeTables(int64_t positions, int64_t rotaryDim, double theta);

// The cache [pages, kvHeads, pageSize, headDim] with k [T, kvHeads, headDim] written at slots[t] = page · pageSize +
// offset.
struct CacheShape {
  int64_t pages, kvHeads, pageSize, headDim;
};
std::vector<double> kvAppend(CacheShape shape, Values cache, Values k, Ints slots);

// Of qkv [T, shape.heads + 2 kvHeads, headDim] the first shape.heads heads of a token, or as many from `first` on: each
// normed by w [headDim] with an epsilon of 1e-6 (w empty: as it is), then rotated. What rope_append does with queries
// and with keys.
struct JoinedHeads {
  Values qkv;
  int64_t all, first; // heads of a token, and the first of those that are meant
};
std::vector<double> ropeAppend(RopeShape shape, JoinedHeads joined, Values w, Ints pos, const RopeTables &tables);

// o = softmax(scores) · v. q [batch, queries, heads, headDim]; k and v in pages; table [batch, slots]; length [batch]
// counts the queries, which are the last positions. Head h reads kv head h / (heads / kvHeads). A query that sees
// nothing (length < queries) gives zeros.
struct AttentionShape {
  int64_t batch, queries, heads, slots;
  CacheShape cache;
};
// What becomes of a query at position i and a key at position j, in this order (as in vLLM's CPU reference):
// s = scale q · k; s = cap tanh(s / cap); s -= slope[head] (i - j); s = -inf unless visible; then softmax with
// exp(sink[head]) added to the denominator. Empty lists and zeros switch a step off.
struct Scores {
  double scale = 0; // 0: 1 / sqrt(headDim)
  double softCap = 0;
  bool causal = true; // j <= i
  int64_t window = 0; // i - j < window
  std::vector<double> slopes, sinks;
};
template <class T>
std::vector<T> attention(const AttentionShape &shape, Values q, Values k, Values v, Ints table, Ints length,
                         const Scores &scores = {});

// The slopes of ALiBi (Press et al., arXiv 2108.12409) for any number of heads: 2^(-8 (i+1) / n) for n = the largest
// power of two, then every other slope of 2n.
std::vector<double> alibiSlopes(int64_t heads);

// Softmax-weighted sums over parts of the keys, joined: acc [rows, splits, d], den and top [rows, splits], where top is
// in base 2 and the sums are of 2^(s - top); sink [rows] (base e) or empty.
std::vector<double> attentionMerge(int64_t splits, int64_t d, Values acc, Values den, Values top, Values sink);

// y[t, i] = silu(x[t, i]) · x[t, d + i]; x [T, 2d].
template <class T> std::vector<T> siluAndMul(Values x, int64_t d);

// x / (1 + exp(-x)); x Φ(x) with the normal distribution's Φ; its tanh approximation; cap · tanh(x / cap).
double silu(double x);
double gelu(double x);
double geluTanh(double x);
double softCap(double x, double cap);
// f of every element.
std::vector<double> map(Values x, const std::function<double(double)> &f);
// y[t, i] = gelu(x[t, i]) · x[t, d + i]; x [T, 2d].
std::vector<double> geluAndMul(Values x, int64_t d, bool tanh);

// y = exp(x - max) / sum over rows of `columns` values.
template <class T> std::vector<T> softmax(Values x, int64_t columns);

// The lowest index of each row's largest value.
std::vector<int32_t> argMax(Values x, int64_t columns);

// y[t] = table[tokens[t]], rows of `columns` values.
std::vector<double> embedding(Values table, Ints tokens, int64_t columns);

} // namespace tessera::reference
