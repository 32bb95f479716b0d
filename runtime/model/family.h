// Family: what sets one model architecture apart from the others, as a row of data that one graph builder follows.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera::model {

// The function of a feed-forward gate.
enum class Gate { silu, geluTanh };

// Which norms there are beside the one before attention and the one before the feed-forward part.
struct FamilyNorms {
  bool heads = false;   // of every query and key head, before the rotation
  bool post = false;    // of what attention and feed-forward part add to the stream
  bool onePlus = false; // Hugging Face files hold w where the norm's weight is 1 + w; GGUF files hold the sum
};

// Which layers see the last `window` positions only, where the file gives a window.
struct FamilyWindows {
  int fullEvery = 0;   // layers n - 1, 2n - 1, ... of n see everything; 0: none does
  double ropeBase = 0; // of windowed layers; 0: as everywhere
};

struct Family {
  std::string_view name;                     // general.architecture of a GGUF file
  std::vector<std::string_view> huggingFace; // model_type of a config.json
  Gate gate = Gate::silu;
  bool pairedRope = false;      // GGUF weights are permuted: coordinates turn as (2i, 2i + 1), not as two halves
  bool scaledEmbedding = false; // embeddings are multiplied by sqrt(hidden)
  FamilyNorms norms = {};
  FamilyWindows windows = {};
};

std::span<const Family> families();
const Family *familyByArchitecture(std::string_view name); // null where unknown
const Family *familyByModelType(std::string_view name);    // null where unknown
std::string familyNames();                                 // "llama, qwen2, ..."
std::string modelTypeNames();                              // "llama, mistral, ..."

} // namespace tessera::model
