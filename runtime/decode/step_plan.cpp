#include "runtime/decode/step_plan.h"
#include <numeric>

namespace tessera::decode {

Status StepPlan::run(const Stream &stream) const {
  for (const PreparedLaunch &step : steps)
    TESSERA_TRY(step.launch(stream));
  return {};
}

static int64_t elements(const Shape &shape, size_t fromAxis = 0) {
  return std::accumulate(shape.begin() + ptrdiff_t(fromAxis), shape.end(), int64_t(1), std::multiplies<>());
}

Activation Activation::rows(int64_t begin, int64_t count) const {
  Activation part = *this;
  part.offset += begin * denseBytes(dtype, elements(shape, 1));
  part.shape[0] = count;
  return part;
}

Activation Activation::as(Shape other) const {
  Activation same = *this;
  same.shape = std::move(other);
  return same;
}

Activation StepBuilder::activation(DType dtype, Shape shape) {
  Result<int64_t> bytes = bytesOf(dtype, shape);
  if (!bytes)
    errors.push_back(bytes.error());
  lifetimes.push_back({bytes ? *bytes : 0, INT64_MAX, -1});
  return {lifetimes.size() - 1, dtype, std::move(shape)};
}

Buffer StepBuilder::rows(const Buffer &buffer, int64_t begin, int64_t count) {
  Result<Buffer> part = buffer.slice(begin, count);
  if (!part)
    errors.push_back(part.error());
  return part ? *part : buffer;
}

void StepBuilder::launch(const LoadedKernel &kernel, std::vector<Operand> operands) {
  for (const Operand &operand : operands)
    if (const Activation *used = std::get_if<Activation>(&operand)) {
      Lifetime &life = lifetimes[used->id];
      life.first = std::min(life.first, int64_t(launches.size()));
      life.last = int64_t(launches.size());
    }
  launches.push_back({kernel, std::move(operands)});
}

Result<StepPlan> StepBuilder::finish(const Device &device) {
  if (!errors.empty())
    return errors.front();
  MemoryPlan memory = planMemory(lifetimes);
  StepPlan plan;
  plan.arena = TESSERA_TRY(device.alloc(u8, {memory.bytes}));
  for (const Planned &planned : launches) {
    std::vector<Buffer> buffers(planned.operands.size());
    std::vector<Arg> args;
    for (size_t i = 0; i < buffers.size(); ++i) {
      const Operand &operand = planned.operands[i];
      if (const float *scalar = std::get_if<float>(&operand)) {
        args.emplace_back(*scalar);
        continue;
      }
      if (const int64_t *scalar = std::get_if<int64_t>(&operand)) {
        args.emplace_back(*scalar);
        continue;
      }
      if (const Activation *used = std::get_if<Activation>(&operand))
        buffers[i] = TESSERA_TRY(plan.arena.view(memory.offsets[used->id] + used->offset, used->dtype, used->shape));
      else
        buffers[i] = std::get<Buffer>(operand);
      args.emplace_back(buffers[i]);
    }
    plan.steps.push_back(TESSERA_TRY(planned.kernel.prepare(args)));
  }
  return plan;
}

} // namespace tessera::decode
