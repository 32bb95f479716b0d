// Weights: a llama model's tensors on a device, in the layouts that the kernels read.
#pragma once
#include "runtime/device.h"
#include "runtime/model/config.h"
#include "runtime/model/gguf.h"
#include <vector>

namespace tessera::decode {

// Matrices are [outputs, inputs]: packed formats in panels, f16 and f32 as in the file. Norms are f32.
struct LayerWeights {
  Buffer attentionNorm, q, k, v, o;
  Buffer feedForwardNorm;
  Buffer gateUp; // [2 * feedForward, hidden]: the gate's rows, then the up projection's
  Buffer down;
};

struct Weights {
  Buffer embedding; // [vocab, hidden]
  Buffer outputNorm;
  Buffer head; // [vocab, hidden]; the embedding's memory where the model ties them
  std::vector<LayerWeights> layers;
  std::vector<float> ropeFactors; // one a rotary pair: what its frequency is divided by; empty where the file has none

  int64_t bytes() const; // memory that is held, shared memory once
};

// Copies and repacks everything out of `file`, which is not needed afterwards; `config` must be the file's own. Errors
// name the file and the tensor: missing, another shape, a type that no kernel reads, gate and up of different types.
Result<Weights> loadWeights(const model::Gguf &file, const model::LlamaConfig &config, const Device &device);

// cos and sin of p * base^(-2i / rotaryDim) / factors[i] (1 where `factors` is empty), f32 [positions, rotaryDim / 2],
// computed in double.
struct RopeTables {
  Buffer cos, sin;
};
Result<RopeTables> ropeTables(const Device &device, const model::RopeShape &rope, int64_t positions,
                              std::span<const float> factors = {});

} // namespace tessera::decode
