#include "tests/decode/family_files.h"
#include "runtime/model/gguf_writer.h"
#include "runtime/model/quantize.h"
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <span>

namespace tessera::decode {

const Json &familyGoldens() {
  static const Json goldens = Json::parse(std::ifstream("tests/goldens/families.json"));
  return goldens;
}

std::vector<double> floatsOf(const Json &json) {
  constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text = json;
  std::vector<uint8_t> bytes;
  uint32_t pending = 0;
  int bits = 0;
  for (char c : text.substr(0, text.find('='))) {
    pending = pending << 6 | uint32_t(digits.find(c));
    if ((bits += 6) >= 8)
      bytes.push_back(uint8_t(pending >> (bits -= 8)));
  }
  std::vector<float> floats(bytes.size() / 4);
  std::memcpy(floats.data(), bytes.data(), floats.size() * 4);
  return {floats.begin(), floats.end()};
}

namespace {

using Floats = std::vector<float>;

std::vector<int64_t> shapeOf(const Json &tensor) { return tensor["shape"]; }

// make_family_goldens.py's `weights`.
Floats valuesOf(const Json &tensor) {
  uint64_t seed = 0xCBF29CE484222325;
  for (char byte : tensor["name"].get<std::string>())
    seed = (seed ^ uint8_t(byte)) * 0x100000001B3;
  std::vector<int64_t> shape = shapeOf(tensor);
  Floats values(size_t(std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<>())));
  float spread = tensor["spread"], centre = tensor["centre"];
  for (size_t i = 0; i < values.size(); ++i) {
    uint64_t z = seed + 0x9E3779B97F4A7C15 * (i + 1);
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    z = z ^ z >> 31;
    values[i] = float(double(z >> 40) / 8388608 - 1) * spread + centre;
  }
  return values;
}

// llama.cpp's converter interleaves the two halves of every query and key head.
Floats permuted(const Floats &values, size_t heads, size_t columns) {
  size_t headRows = values.size() / columns / heads;
  Floats out(values.size());
  for (size_t h = 0; h < heads; ++h)
    for (size_t j = 0; j < headRows / 2; ++j)
      for (size_t half = 0; half < 2; ++half)
        std::memcpy(out.data() + (h * headRows + 2 * j + half) * columns,
                    values.data() + (h * headRows + half * (headRows / 2) + j) * columns, columns * 4);
  return out;
}

std::string textOf(std::span<const float> values) {
  return {reinterpret_cast<const char *>(values.data()), values.size_bytes()};
}

std::string encoded(const Floats &values, const std::string &dtype) {
  if (dtype == "F32")
    return textOf(values);
  std::string out;
  for (float value : values) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    uint16_t half = dtype == "F16" ? model::toHalf(value) : uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    out.append(reinterpret_cast<const char *>(&half), 2);
  }
  return out;
}

void writeFile(const std::string &path, const std::string &bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), std::streamsize(bytes.size()));
}

} // namespace

void writeGguf(const Json &golden, const std::string &path) {
  model::GgufWriter writer;
  std::string architecture = golden["architecture"];
  writer.addString("general.architecture", architecture);
  for (const auto &[key, value] : golden["metadata"].items()) {
    std::string name = architecture + "." + key;
    if (value.is_string())
      writer.addString(name, value.get<std::string>());
    else if (value.is_number_integer())
      writer.addInteger(name, value.get<uint32_t>());
    else
      writer.addReal(name, value.get<float>());
  }
  const model::GgmlType &type = *model::ggmlType(f32);
  bool isGemma = architecture.starts_with("gemma");
  for (const Json &tensor : golden["tensors"]) {
    std::string name = tensor["gguf"];
    Floats values = valuesOf(tensor);
    std::vector<int64_t> shape = shapeOf(tensor);
    for (const char *side : {"q", "k"})
      if (golden["permuted"].get<bool>() && name.ends_with("attn_" + std::string(side) + ".weight"))
        values = permuted(values, golden["metadata"][*side == 'q' ? "attention.head_count" : "attention.head_count_kv"],
                          size_t(shape[1]));
    if (isGemma && name.ends_with("norm.weight"))
      for (float &value : values)
        value += 1;
    writer.addTensor(name, type, shape, textOf(values));
  }
  for (const auto &[name, factors] : golden["factors"].items()) {
    Floats values = factors;
    const int64_t size = int64_t(values.size());
    writer.addTensor(name, type, std::span(&size, 1), textOf(values));
  }
  (void)writer.write(path).value();
}

void writeFolder(const Json &golden, const std::string &path, int shards, const std::string &dtype) {
  std::filesystem::create_directories(path);
  writeFile(path + "/config.json", golden["config"].dump(2));
  std::vector<Json> headers(size_t(shards), Json::object());
  std::vector<std::string> data(static_cast<size_t>(shards));
  Json index;
  auto fileName = [&](size_t shard) {
    return shards == 1 ? "model.safetensors" : "model-" + std::to_string(shard + 1) + ".safetensors";
  };
  size_t next = 0;
  for (const Json &tensor : golden["tensors"]) {
    size_t shard = next++ % size_t(shards), begin = data[shard].size();
    data[shard] += encoded(valuesOf(tensor), dtype);
    std::string name = tensor["name"];
    headers[shard][name] = {
        {"dtype", dtype}, {"shape", tensor["shape"]}, {"data_offsets", {begin, data[shard].size()}}};
    index["weight_map"][name] = fileName(shard);
  }
  for (size_t shard = 0; shard < headers.size(); ++shard) {
    headers[shard]["__metadata__"] = {{"format", "pt"}};
    std::string header = headers[shard].dump();
    header.resize((header.size() + 7) / 8 * 8, ' ');
    uint64_t size = header.size();
    writeFile(path + "/" + fileName(shard),
              std::string(reinterpret_cast<const char *>(&size), 8) + header + data[shard]);
  }
  if (shards > 1)
    writeFile(path + "/model.safetensors.index.json", index.dump());
}

} // namespace tessera::decode
