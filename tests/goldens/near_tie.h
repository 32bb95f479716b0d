// The lead of one token over another below which two computations of a model may choose differently.
#pragma once
#include <cmath>
#include <nlohmann/json.hpp>

namespace tessera {

// In nat, of the model that `goldens` is of. Products of quantized weights round activations to 8 bits. A last bit of
// an f32 sum, which is free to differ, sometimes carries an activation to the next code, and behind a few layers half
// of the codes are others. So every computation of such a model is off the exact one (the same weights, activations as
// they are) by an error that only chance decides, and how far that moves a lead is known from llama.cpp and the exact
// model at every step of every golden text: s, the root mean square of the difference of their leads. Two computations,
// each with such an error of its own, are sqrt(2) s apart; twice that is what 19 of 20 differences stay below. Nothing
// of Tessera's is in it, so no mistake of Tessera's widens it.
inline double nearTie(const nlohmann::json &goldens) {
  double sum = 0, steps = 0;
  for (const nlohmann::json &golden : goldens["cases"])
    for (size_t step = 0; step < golden["gaps"].size(); ++step, ++steps) {
      double difference = golden["gaps"][step].get<double>() - golden["exact_gaps"][step].get<double>();
      sum += difference * difference;
    }
  return 2 * std::sqrt(2 * sum / steps);
}

} // namespace tessera
