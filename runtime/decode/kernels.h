// Kernels: every kernel of a step, compiled before the first token.
#pragma once
#include "runtime/decode/kv_pool.h"
#include "runtime/decode/weights.h"
#include "runtime/engine.h"
#include "runtime/model/config.h"
#include <compare>
#include <map>

namespace tessera::decode {

// Values that share a scale of the activations before this weight; 0 where it takes them as they are.
inline int groupOf(DType weight) { return isQuantized(weight) ? info(weight).packed->group : 0; }
// The same of several weights that read one input; 0 where they differ.
int groupOf(std::span<const Buffer> weights);

// Which product: ops::QuantMatmul's options.
struct MatmulKey {
  DType weight;
  bool bias = false, slice = false;
  auto operator<=>(const MatmulKey &) const = default;
};
struct AttentionKey {
  bool windowed = false;
  int group = 0;        // of the codes that it leaves, or its merge does
  bool partial = false; // splits are programs of their own, merged by another kernel
  auto operator<=>(const AttentionKey &) const = default;
};

// What the layers of a model ask for; the graph launches by these keys, and these keys are compiled.
std::vector<MatmulKey> qkvProducts(const AttentionWeights &w);
MatmulKey outputProduct(const AttentionWeights &w);
AttentionKey attentionOf(const AttentionWeights &w, const model::ModelConfig &config, int64_t layer);

// Kernels by the number of rows that they are configured for, which changes no row's bits.
template <class Key> struct ByRows {
  std::map<int64_t, std::map<Key, LoadedKernel>> kernels;
  // The narrowest that takes so many rows at once, or the widest there is.
  const LoadedKernel &at(const Key &key, int64_t rows) const {
    auto found = kernels.lower_bound(rows);
    return (found == kernels.end() ? kernels.rbegin()->second : found->second).at(key);
  }
};

// What some models need beside the rest; the others leave it empty.
struct ExtraKernels {
  LoadedKernel scale, softCap;
};

// The greedy choice: in parts of so many columns and their merge, or of whole rows where there is one part.
struct ChoiceKernels {
  static constexpr int64_t columns = 4096;
  LoadedKernel find, merge;
};

struct Kernels {
  LoadedKernel embedding, ropeAppend;
  std::map<int, LoadedKernel> norm, addNorm, gate; // by the group of the codes that they leave, 0 for f32
  std::map<int, LoadedKernel> quantize;            // by the values that share a scale
  ChoiceKernels choice;
  ExtraKernels extra;
  ByRows<MatmulKey> matmul;          // by a step's tokens
  ByRows<AttentionKey> attention;    // by a sequence's
  std::map<int, LoadedKernel> merge; // of partial attention, by the group of the codes that it leaves
};

// Positions of a sequence whose softmax is taken alone (ops::Attention::split), and the longest sequence.
struct KvSplit {
  int64_t split, context;
  bool needed() const { return context > split; }      // a shorter context has the same bits without
  bool inParts() const { return context > 2 * split; } // else parts of their own gain nothing
};

// What kernels depend on beside the model.
struct KernelOptions {
  KvShape cache;
  KvSplit split;
  int64_t sequences = 1; // most that are decoded at once; more work too, by kernels for prompts
};

// Compiles what is in no cache, several kernels at a time.
Result<Kernels> buildKernels(const Engine &engine, const model::ModelConfig &config, const Weights &weights,
                             const KernelOptions &options);

} // namespace tessera::decode
