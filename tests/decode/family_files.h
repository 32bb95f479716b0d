// Files of the tiny random models in tests/goldens/families.json, as GGUF and as Hugging Face folders.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tessera::decode {

using Json = nlohmann::json;

const Json &familyGoldens();
// Little-endian f32 numbers in base64.
std::vector<double> floatsOf(const Json &text);

// The weights are the golden's formula, in F32.
void writeGguf(const Json &golden, const std::string &path);
// config.json and safetensors: one file, or `shards` of them and an index. `dtype`: F32, F16 or BF16 of all tensors.
void writeFolder(const Json &golden, const std::string &path, int shards = 1, const std::string &dtype = "F32");

} // namespace tessera::decode
