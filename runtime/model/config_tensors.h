// The tensors that a llama model must hold, checked against its configuration. Private to config.cpp.
#pragma once
#include "runtime/model/config.h"

namespace tessera::model {

// Sets vocab and tiedHead from the embedding and head tensors.
Status readVocab(const Gguf &file, LlamaConfig &config);
// Every tensor of the model is there, with its shape and a type that the operators read; and no tensor is there that
// the model would need and we would ignore.
Status checkTensors(const Gguf &file, const LlamaConfig &config);

} // namespace tessera::model
