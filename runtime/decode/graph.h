// The decoder of every model family as a step plan: which kernels run on which tensors for a step of a given shape.
#pragma once
#include "runtime/decode/kernels.h"
#include "runtime/decode/kv_pool.h"
#include "runtime/decode/step_plan.h"
#include "runtime/decode/weights.h"
#include "runtime/mirror.h"
#include <compare>
#include <optional>

namespace tessera::decode {

// For which tokens of a step logits are wanted: for none (a prompt's chunks but the last), the last of each sequence,
// or all.
enum class Head { none, last, all };

// `batch` sequences bring `queries` tokens each. Head::last takes one sequence or one query each. splits > 0: attention
// without a window runs in so many parts (one query each), which must cover the longest sequence; the bits stay.
struct StepShape {
  int64_t batch = 1, queries = 1;
  Head head = Head::last;
  int64_t splits = 0;
  auto operator<=>(const StepShape &) const = default;
  int64_t tokens() const { return batch * queries; }
  int64_t headRows() const { return head == Head::none ? 0 : head == Head::all ? tokens() : batch; }
};

// One input of a step, i32: what kernels read, and where the host writes it.
struct StepInput {
  Buffer buffer;
  std::span<int32_t> host;
};

// What a step reads, tokens of one sequence after the other. One piece of memory, so one copy.
struct StepInputs {
  Mirror all;
  StepInput tokens, positions, slots; // [tokens]; a slot is page * pageSize + offset
  StepInput table;                    // [batch, pages of the longest sequence]
  StepInput length;                   // [batch], the step's tokens included
};

// A step ready to run any number of times: fill the inputs, run, synchronize the stream, read the outputs.
struct Step {
  StepPlan plan;
  StepInputs in;
  Mirror logits; // f32 [head rows, vocab]; run() leaves them on the device
  Mirror chosen; // i32 [head rows]: the greedy choice
  std::optional<Graph> recorded;

  // Inputs to the device, every launch, the choice to the host: what was recorded, if anything.
  Status run(const Stream &stream) const;
  // From here on run() is one call of the driver.
  Status record(const Stream &stream);
};

// What all steps of a model share. Copied into plans where needed; must live during buildStep() only.
struct GraphParts {
  const model::ModelConfig &config;
  const Weights &weights;
  const Kernels &kernels;
  const RopeTables &rope, &windowedRope; // the second is for layers with a window
  const KvPool &pool;
  int64_t context; // longest sequence
};

// Nine launches a layer: norm (with the residual sum before it) -> q, k and v in one product -> norms of heads, rope
// and append -> attention -> o -> norm -> gate and up -> activation -> down; where the next product has quantized
// weights, a norm, attention or the activation leaves 8-bit codes itself. Weights of several types in one place, norms
// after and caps add launches; what a family does not have launches nothing. Sources: llama.cpp's graphs, and
// modeling_<family>.py of Hugging Face's transformers.
Result<Step> buildStep(const Device &device, const GraphParts &parts, const StepShape &shape);

} // namespace tessera::decode
