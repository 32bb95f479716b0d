// check_goldens: the demo model's greedy text and logits against what llama.cpp said (scripts/dev/make_goldens.py).
//
// Usage: check_goldens GOLDENS MODEL [RESULT.json]. Exit status 77, which CTest reports as skipped, where MODEL is
// missing. It fails unless
// - prompts tokenize alike;
// - every difference, on any prompt, starts at a near tie of llama.cpp's two best logits (near_tie.h);
// - the mean cosine of the logits after the prompt with llama.cpp's exceeds 0.999.
// The share of identical prompts is a figure, reported beside its bar of 95 %: it moves by several prompts with any
// change of rounding on either side, llama.cpp's own variants included (docs/design/0001-house.md).
#include "runtime/decode/model.h"
#include "runtime/model/tokenizer.h"
#include "tests/goldens/near_tie.h"
#include "tests/goldens/thinned.h"
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace tessera {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<int32_t>;

constexpr double leastIdentical = 0.95, leastCosine = 0.999;

struct Tally {
  int prompts = 0, identical = 0, stable = 0, stableIdentical = 0, tokenizedElse = 0;
  int wideInLlama = 0; // first differences at no near tie of llama.cpp's
  double cosineSum = 0, leastCosine = 1, exactCosineSum = 0, llamaExactCosineSum = 0;
};

struct Checker {
  const Json &goldens;
  decode::Model &model;
  model::Tokenizer tokenizer;
  double bar = nearTie(goldens);
  Tally tally = {};

  Result<Tokens> encode(const Json &golden) {
    std::string text = golden["prompt"];
    if (golden["chat"].is_string())
      text = TESSERA_TRY(model.file().chatPrompt(golden["chat"].get<std::string>()));
    Tokens tokens = TESSERA_TRY(tokenizer.encode(text));
    if (tokens != golden["prompt_tokens"].get<Tokens>()) {
      std::printf("tokens differ: %s\n", golden["prompt"].dump().c_str());
      ++tally.tokenizedElse;
    }
    return tokens;
  }

  Status checkText(const Json &golden, const Tokens &prompt) {
    decode::GenerateOptions options;
    options.maxTokens = goldens["steps"];
    for (int32_t token = 0; token < tokenizer.size(); ++token)
      if (tokenizer.isEnd(token))
        options.stopTokens.push_back(token);
    Tokens got = TESSERA_TRY(model.generate(prompt, options)).tokens;
    Tokens want = golden["tokens"].get<Tokens>();
    if (tokenizer.isEnd(want.back()))
      want.pop_back(); // the end-of-turn token ends our text without being part of it
    bool same = got == want, stable = golden["stable"];
    ++tally.prompts, tally.identical += same, tally.stable += stable, tally.stableIdentical += same && stable;
    if (same)
      return {};
    size_t step = 0;
    while (step < got.size() && step < want.size() && got[step] == want[step])
      ++step;
    double gap = golden["gaps"][step], exactGap = golden["exact_gaps"][step];
    tally.wideInLlama += gap >= bar;
    std::string spelled = golden["prompt"].dump();
    std::printf("step %2zu: gap %.3f nat (exactly %.3f), %s: ...%s\n", step, gap, exactGap,
                stable ? "stable" : "llama.cpp differs from itself or the exact model",
                spelled.substr(spelled.size() - std::min<size_t>(spelled.size(), 60)).c_str());
    return {};
  }

  Status checkLogits(const Json &golden, const Tokens &prompt) {
    std::vector<float> rows = TESSERA_TRY(model.logits(prompt));
    size_t vocab = size_t(model.config().vocab);
    std::span<const float> row = std::span(rows).last(vocab);
    size_t stride = goldens["logit_stride"];
    std::vector<double> llama = decodeHalfs(golden["logits"]), exact = decodeHalfs(golden["exact_logits"]);
    double value = cosine(row, stride, llama);
    tally.exactCosineSum += cosine(row, stride, exact);
    tally.llamaExactCosineSum += cosine(std::vector<float>(llama.begin(), llama.end()), 1, exact);
    tally.cosineSum += value;
    tally.leastCosine = std::min(tally.leastCosine, value);
    return {};
  }
};

Json summary(const Tally &tally, const Json &goldens) {
  return {{"made_with", goldens["made_with"]},
          {"model", goldens["model"]},
          {"steps", goldens["steps"]},
          {"prompts", tally.prompts},
          {"identical", tally.identical},
          {"stable_prompts", tally.stable},
          {"stable_identical", tally.stableIdentical},
          {"stable_identical_bar", leastIdentical},
          {"near_tie_nat", nearTie(goldens)},
          {"differences_at_wide_gaps_of_llama_cpp", tally.wideInLlama},
          {"mean_cosine", tally.cosineSum / tally.prompts},
          {"least_cosine", tally.leastCosine},
          {"mean_cosine_with_exact", tally.exactCosineSum / tally.prompts},
          {"llama_cpp_mean_cosine_with_exact", tally.llamaExactCosineSum / tally.prompts}};
}

Result<bool> check(const std::string &goldensPath, const std::string &modelPath, const char *resultPath) {
  Json goldens = Json::parse(std::ifstream(goldensPath));
  decode::Model model = TESSERA_TRY(decode::Model::load(modelPath));
  Checker checker{goldens, model, TESSERA_TRY(model.file().tokenizer())};
  for (const Json &golden : goldens["cases"]) {
    Tokens prompt = TESSERA_TRY(checker.encode(golden));
    TESSERA_TRY(checker.checkText(golden, prompt));
    TESSERA_TRY(checker.checkLogits(golden, prompt));
  }
  const Tally &tally = checker.tally;
  Json result = summary(tally, goldens);
  std::printf("%s\n", result.dump(2).c_str());
  if (resultPath)
    std::ofstream(resultPath) << result.dump(2) << "\n";
  bool alike = tally.stableIdentical >= leastIdentical * tally.stable;
  std::printf("identical on %d of %d stable prompts; the bar of 95 %% is %s\n", tally.stableIdentical, tally.stable,
              alike ? "met" : "not met");
  return tally.tokenizedElse == 0 && tally.wideInLlama == 0 && tally.cosineSum > leastCosine * tally.prompts;
}

} // namespace
} // namespace tessera

int main(int argc, char **argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: check_goldens GOLDENS MODEL [RESULT.json]\n");
    return 2;
  }
  if (!std::filesystem::exists(argv[2])) {
    std::printf("skipped: there is no %s; scripts/demo fetches it where the package index can be reached\n", argv[2]);
    return 77;
  }
  auto held = tessera::check(argv[1], argv[2], argc > 3 ? argv[3] : nullptr);
  if (!held) {
    std::fprintf(stderr, "%s\n", held.error().message.c_str());
    return 1;
  }
  return *held ? 0 : 1;
}
