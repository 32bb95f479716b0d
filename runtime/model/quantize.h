// Row quantizers with ggml's reference rounding, for the models that make-model writes. Thread-safe.
#pragma once
#include "runtime/model/ggml_type.h"
#include <cstdint>
#include <span>
#include <string>

namespace tessera::model {

// IEEE binary16 bits, rounded to nearest, ties to even; overflow gives infinity.
uint16_t toHalf(float value);
float fromHalf(uint16_t bits);

// Whether quantizeRows knows the type: F32, F16, Q4_0, Q4_1, Q8_0.
bool canQuantize(const GgmlType &type);

// The bytes of `values` (whole rows one after another) in the type's blocks. Requires canQuantize(type) and
// values.size() % type.block == 0. Source: the *_ref functions of ggml-quants.c.
std::string quantizeRows(const GgmlType &type, std::span<const float> values);

} // namespace tessera::model
