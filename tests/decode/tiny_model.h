// TinyModel: a random llama model in a folder of its own, with the kernels that it needs cached beside it.
#pragma once
#include "runtime/decode/model.h"
#include "runtime/model/make_model.h"
#include <cstdlib>
#include <filesystem>
#include <string>

namespace tessera::decode {

// Kernels are shared by all tests of a program; they are compiled once.
inline const std::string &testFolder() {
  struct Folder {
    std::string path;
    Folder() {
      std::string pattern = std::filesystem::temp_directory_path() / "tessera-decode-XXXXXX";
      path = mkdtemp(pattern.data());
    }
    ~Folder() { std::filesystem::remove_all(path); }
  };
  static Folder folder;
  return folder.path;
}

inline std::string tinyModel(const model::ModelOptions &options, const std::string &name) {
  std::string path = testFolder() + "/" + name + ".gguf";
  if (!std::filesystem::exists(path))
    (void)model::makeModel(path, options).value();
  return path;
}
inline std::string tinyModel(const std::string &quant = "Q4_1") {
  model::ModelOptions options;
  options.quant = quant;
  return tinyModel(options, quant);
}

inline LoadOptions testOptions() {
  LoadOptions options;
  options.threads = 2;
  options.engine.cacheDir = testFolder() + "/kernels";
  return options;
}

// Tokens that no tokenizer chose.
inline std::vector<int32_t> someTokens(size_t count, int32_t vocab = 1024) {
  std::vector<int32_t> tokens;
  for (size_t i = 0; i < count; ++i)
    tokens.push_back(int32_t((i * 7919 + 13) % size_t(vocab)));
  return tokens;
}

} // namespace tessera::decode
