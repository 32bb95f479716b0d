// check_devices: the demo model's greedy text on other devices against the CPU's.
//
// Usage: check_devices GOLDENS MODEL DEVICE... Exit status 77, which CTest reports as skipped, where MODEL is missing.
// On each device every one of the first prompts is continued by 16 tokens. It fails unless a device's tokens are the
// CPU's, or part from them at a near tie: less than 0.1 nat on the CPU between its own choice and the device's.
#include "runtime/decode/model.h"
#include "runtime/model/tokenizer.h"
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tessera {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<int32_t>;

constexpr double nearTie = 0.1;
constexpr size_t prompts = 2, steps = 16;

Result<std::vector<Tokens>> continued(const Json &goldens, const std::string &modelPath, const std::string &device) {
  decode::LoadOptions options;
  options.device = device;
  options.context = 512;
  decode::Model model = TESSERA_TRY(decode::Model::load(modelPath, options));
  std::vector<Tokens> all;
  for (size_t i = 0; i < prompts; ++i) {
    Tokens prompt = goldens["cases"][i]["prompt_tokens"].get<Tokens>();
    all.push_back(TESSERA_TRY(model.generate(prompt, {.maxTokens = steps})).tokens);
  }
  return all;
}

// How much the CPU prefers its own token over the device's where the two part after `common` tokens.
Result<double> gapAt(const Json &golden, const std::string &modelPath, const Tokens &cpu, int32_t other,
                     size_t common) {
  decode::Model model = TESSERA_TRY(decode::Model::load(modelPath));
  Tokens text = golden["prompt_tokens"].get<Tokens>();
  text.insert(text.end(), cpu.begin(), cpu.begin() + ptrdiff_t(common));
  std::vector<float> rows = TESSERA_TRY(model.logits(text));
  std::span<const float> last = std::span(rows).last(size_t(model.config().vocab));
  return double(last[size_t(cpu[common])]) - double(last[size_t(other)]);
}

Result<bool> check(const std::string &goldensPath, const std::string &modelPath, std::span<char *const> devices) {
  Json goldens = Json::parse(std::ifstream(goldensPath));
  std::vector<Tokens> expected = TESSERA_TRY(continued(goldens, modelPath, "cpu"));
  bool held = true;
  for (const std::string device : devices) {
    std::vector<Tokens> got = TESSERA_TRY(continued(goldens, modelPath, device));
    for (size_t i = 0; i < prompts; ++i) {
      auto [mine, theirs] = std::ranges::mismatch(expected[i], got[i]);
      if (mine == expected[i].end() && theirs == got[i].end()) {
        std::printf("%s, prompt %zu: %zu tokens equal the CPU's\n", device.c_str(), i, got[i].size());
        continue;
      }
      size_t common = size_t(mine - expected[i].begin());
      if (common >= got[i].size() || common >= expected[i].size())
        return internalError(device + " generated another number of tokens than the CPU");
      double gap = TESSERA_TRY(gapAt(goldens["cases"][i], modelPath, expected[i], *theirs, common));
      std::printf("%s, prompt %zu: parts at token %zu, where the CPU's choice leads by %.3f nat: %s\n", device.c_str(),
                  i, common, gap, gap < nearTie ? "a near tie" : "no near tie");
      held &= gap < nearTie;
    }
    std::fflush(stdout);
  }
  return held;
}

} // namespace
} // namespace tessera

int main(int argc, char **argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: check_devices GOLDENS MODEL DEVICE...\n");
    return 2;
  }
  if (!std::filesystem::exists(argv[2])) {
    std::printf("skipped: there is no %s; scripts/demo fetches it where the package index can be reached\n", argv[2]);
    return 77;
  }
  auto held = tessera::check(argv[1], argv[2], std::span(argv + 3, size_t(argc - 3)));
  if (!held) {
    std::fprintf(stderr, "%s\n", held.error().message.c_str());
    return 1;
  }
  return *held ? 0 : 1;
}
