// Weights: a model's tensors on a device, in the layouts that the kernels read.
#pragma once
#include "ops/rope_tables.h"
#include "runtime/device.h"
#include "runtime/model/config.h"
#include "runtime/model/tensors.h"
#include <functional>
#include <vector>

namespace tessera::decode {

// Empty buffers stand for what the model does not have. Matrices are [outputs, inputs] in panels, quantized or of float
// values. Norms and biases are f32.
struct AttentionWeights {
  Buffer norm;
  std::vector<Buffer> qkv; // the rows of q, k and v, one below the other: one matrix, or one for each change of type
  Buffer qkvBias;          // of all of them
  Buffer o, oBias;
  Buffer qNorm, kNorm; // [headDim], of every head
  Buffer postNorm;
};
struct FeedForwardWeights {
  Buffer norm;
  Buffer gateUp; // [2 * feedForward, hidden]: the gate's rows, then the up projection's
  Buffer down;
  Buffer postNorm;
};
struct LayerWeights {
  AttentionWeights attention;
  FeedForwardWeights feedForward;
};

struct Weights {
  Buffer embedding; // [vocab, hidden]
  Buffer outputNorm;
  Buffer head; // [vocab, hidden]; the embedding's memory where the model ties them
  std::vector<LayerWeights> layers;
  std::vector<float> ropeDivisors; // one a rotary pair: what its frequency is divided by; empty where the file has none

  int64_t bytes() const; // memory that is held, shared memory once
};

// Everything out of the file, copied and repacked; `config` must be the file's own. Errors name the file and the
// tensor: missing, another shape, a type that no kernel reads, gate and up of different types.
Result<Weights> loadWeights(const model::Tensors &file, const model::ModelConfig &config, const Device &device);

// The same in two steps: weights that have their types, shapes and places, and `fill`, which writes them
// and lets the file's pages go tensor by tensor. What needs memory meanwhile need not share the peak with
// them.
struct PlannedWeights {
  Weights weights;
  std::function<Status()> fill; // once; `file` must live
};
Result<PlannedWeights> planWeights(const model::Tensors &file, const model::ModelConfig &config, const Device &device);

// ops::ropeTable on a device.
struct RopeTables {
  Buffer cos, sin;
};
Result<RopeTables> ropeTables(const Device &device, const ops::RopeFrequencies &frequencies, int64_t positions);

} // namespace tessera::decode
