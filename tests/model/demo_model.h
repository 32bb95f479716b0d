// Where the demo model lies for tests that need a real vocabulary.
#pragma once
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>

namespace tessera {

inline std::string demoModelPath() {
  const char *home = std::getenv("HOME");
  return std::string(home ? home : "") + "/.cache/tessera/models/SmolLM2-135M-Instruct.Q4_1.gguf";
}

inline bool hasDemoModel() { return std::filesystem::exists(demoModelPath()); }

} // namespace tessera
