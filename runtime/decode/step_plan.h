// StepPlan: one decode or prefill step as a list of launches whose arguments are already resolved.
#pragma once
#include "runtime/decode/memory_plan.h"
#include "runtime/device.h"
#include "runtime/module.h"
#include <variant>
#include <vector>

namespace tessera::decode {

// Immutable once built; holds all the memory that it uses. One thread at a time.
class StepPlan {
public:
  // Runs every launch in order. Allocates nothing.
  Status run(const Stream &stream) const;
  size_t launches() const { return steps.size(); }
  int64_t arenaBytes() const { return arena.bytes(); }

private:
  friend class StepBuilder;
  std::vector<PreparedLaunch> steps;
  Buffer arena;
};

// An activation of the step being built, or some of its rows, or all of it under another shape.
struct Activation {
  size_t id;
  DType dtype;
  Shape shape;
  int64_t offset = 0; // bytes into the tensor

  Activation rows(int64_t begin, int64_t count) const; // along the first axis; not for packed types
  Activation as(Shape other) const;                    // equally many elements
};

// Collects launches, then places the activations by how long each is needed.
class StepBuilder {
public:
  using Operand = std::variant<Activation, Buffer, float, int64_t>;

  // A new tensor; its contents are unspecified until a launch writes them.
  Activation activation(DType dtype, Shape shape);
  // Some rows of a buffer; a failure is finish()'s.
  Buffer rows(const Buffer &buffer, int64_t begin, int64_t count);
  void launch(const LoadedKernel &kernel, std::vector<Operand> operands);
  // Errors: a launch whose arguments do not fit its kernel, memory.
  Result<StepPlan> finish(const Device &device);

private:
  struct Planned {
    LoadedKernel kernel;
    std::vector<Operand> operands;
  };
  std::vector<Planned> launches;
  std::vector<Lifetime> lifetimes; // one an activation
  std::vector<Error> errors;       // of shapes that cannot be
};

} // namespace tessera::decode
