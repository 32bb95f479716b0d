#include "runtime/model/tensors.h"
#include "runtime/model/gguf_format.h"
#include <algorithm>
#include <functional>
#include <numeric>

namespace tessera::model {

int64_t StoredTensor::elements() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<>());
}

std::string StoredTensor::shapeText() const { return model::shapeText(shape); }

std::string shapeText(std::span<const int64_t> shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

Tensors::Tensors(std::string path, std::vector<StoredTensor> tensors, std::shared_ptr<const void> owner) {
  std::ranges::sort(tensors, {}, &StoredTensor::name);
  state = std::make_shared<State>(State{std::move(path), std::move(tensors), std::move(owner)});
}

const StoredTensor *Tensors::find(std::string_view name) const {
  auto at = std::ranges::lower_bound(state->tensors, name, {}, &StoredTensor::name);
  return at != state->tensors.end() && at->name == name ? &*at : nullptr;
}

Result<const StoredTensor *> Tensors::require(std::string_view name, std::span<const int64_t> shape) const {
  const StoredTensor *tensor = find(name);
  if (!tensor)
    return invalidArgument(about("the tensor " + quoted(name) + " is missing"));
  if (!std::ranges::equal(tensor->shape, shape))
    return invalidArgument(about("the tensor " + quoted(name) + " has the shape " + tensor->shapeText() +
                                 " where the model's metadata asks for " + model::shapeText(shape)));
  return tensor;
}

} // namespace tessera::model
