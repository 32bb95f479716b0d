// Kernels: every kernel of a step, compiled before the first token.
#pragma once
#include "runtime/decode/kv_pool.h"
#include "runtime/decode/weights.h"
#include "runtime/engine.h"
#include "runtime/model/config.h"
#include <map>

namespace tessera::decode {

// How many rows a step brings; the widths differ in their configurations, never in a row's bits.
enum class Width { one, many };

// Kernels whose configuration depends on the width.
struct WideKernels {
  std::map<DType, LoadedKernel> matmul; // by the weight's type
  LoadedKernel attention, windowed;     // `windowed` where some layer has a window
};

// What some families need beside the rest; the others leave it empty.
struct ExtraKernels {
  LoadedKernel bias, scale, softCap;
};

struct Kernels {
  LoadedKernel embedding, norm, addNorm, ropeQ, ropeK, append, gate;
  LoadedKernel argMax;
  std::map<int, LoadedKernel> quantize; // by the values that share a scale
  ExtraKernels extra;
  WideKernels one, many;

  const WideKernels &at(Width width) const { return width == Width::one ? one : many; }
};

// Compiles what is in no cache, several kernels at a time.
Result<Kernels> buildKernels(const Engine &engine, const model::ModelConfig &config, const Weights &weights,
                             const KvShape &cache);

} // namespace tessera::decode
