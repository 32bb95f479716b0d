// Every op of the library: the one list from which the command line, the conformance tests and the benches follow.
#pragma once
#include "ops/arg_max.h"
#include "ops/attention.h"
#include "ops/attention_merge.h"
#include "ops/dequantize.h"
#include "ops/embedding.h"
#include "ops/gelu_and_mul.h"
#include "ops/gemm.h"
#include "ops/gemm_fix.h"
#include "ops/gemm_merge.h"
#include "ops/gemm_split.h"
#include "ops/gemm_stream.h"
#include "ops/group_norm.h"
#include "ops/kv_append.h"
#include "ops/layer_norm.h"
#include "ops/pack.h"
#include "ops/pointwise.h"
#include "ops/quant_matmul.h"
#include "ops/quantize.h"
#include "ops/quantize_blocks.h"
#include "ops/rms_norm.h"
#include "ops/rope.h"
#include "ops/rope_append.h"
#include "ops/silu_and_mul.h"
#include "ops/softmax.h"
#include <functional>
#include <optional>
#include <span>
#include <tuple>

namespace tessera::ops {

using All =
    std::tuple<Gemm, Quantize, QuantMatmul, Embedding, RmsNorm, Rope, KvAppend, Attention, SiluAndMul, Softmax, ArgMax,
               LayerNorm, GroupNorm, GeluAndMul, Silu, Gelu, Add, Scale, SoftCap, AttentionMerge, Dequantize,
               QuantizeBlocks, Pack, RopeAppend, ArgMaxMerge, GemmSplit, GemmMerge, GemmStream, GemmFix>;

// What a caller may choose of an op; what it leaves out takes the op's default.
struct OpRequest {
  std::optional<DType> dtype;
  std::string config; // "bm=8,bn=32"
  Sizes sizes;        // "M", "heads", ... (flags 0 or 1)
};

// An op whose type is forgotten. Static data; thread-safe.
struct OpInfo {
  std::string_view name;
  std::span<const DType> dtypes; // the first is the default
  Sizes sizes;                   // its default shape: symbolic sizes and constants
  std::function<std::string(const OpRequest &, const Target &)> defaultConfig;
  // Errors: a dtype, size or config field that the op does not have, and what the definition itself refuses.
  std::function<Result<Program>(const OpRequest &, const Target &)> trace;
  std::function<Result<Cost>(const OpRequest &)> cost;
};

std::span<const OpInfo> all();
// Errors: no such op; the message lists those there are.
Result<const OpInfo *> findOp(std::string_view name);

} // namespace tessera::ops
