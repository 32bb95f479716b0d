// What every configuration must satisfy, whichever kind of file it came from. Private to the model readers.
#pragma once
#include "runtime/model/config.h"
#include "runtime/model/tensors.h"

namespace tessera::model {

// Far above any real model, and low enough that products of two sizes never overflow.
inline constexpr int64_t sizeLimit = int64_t(1) << 30;

// One tensor that a model of this configuration holds: a matrix [rows, columns], or a vector where columns is 0.
struct ExpectedTensor {
  std::string name;
  int64_t rows, columns;
};
std::vector<ExpectedTensor> expectedTensors(const ModelConfig &config);

// Checks the sizes, then sets vocab, tiedHead and layout from the tensors, then checks every tensor: it is there, with
// its shape and a type that the operators read; and no tensor is there that the model would need and we would ignore.
Status completeConfig(const Tensors &tensors, ModelConfig &config);

// Sets which layers are windowed by the family's pattern.
void windowsByFamily(ModelConfig &config);

// The floats of an F32 vector.
Result<std::vector<float>> floatVector(const Tensors &tensors, std::string_view name, int64_t size);

} // namespace tessera::model
