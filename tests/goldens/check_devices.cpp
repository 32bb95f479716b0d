// check_devices: the demo model's greedy text and logits on a GPU beside the CPU's.
//
// Usage: check_devices GOLDENS MODEL EXACT DEVICE... Exit status 77, which CTest reports as skipped, where MODEL is
// missing. EXACT is the same model with weights in f32 (scripts/dev/make_formats.py); what needs it is left out where
// it is missing, and said to be.
//
// The first prompts are continued by 16 tokens on the CPU. On each device, two questions:
// 1. Does it compute the same? EXACT with an f32 cache rounds nothing below f32. Tokens must be the CPU's, all of them,
//    and the logits of the texts as near to the CPU's as those of another row of CPUs, whose kernels add in another
//    order, give or take a factor of 2: 2e-5 nat in most rows.
// 2. Is it as good where rounding decides? MODEL's products round activations to 8 bits, so its tokens are the CPU's or
//    part from them at a near tie (near_tie.h), and its logits lie no further from EXACT's than the CPU's do, give or
//    take a quarter (three rows of CPUs: 0.34, 0.36 and 0.38 nat).
#include "runtime/decode/model.h"
#include "tests/goldens/near_tie.h"
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace tessera {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<int32_t>;

constexpr size_t prompts = 2, steps = 16;
constexpr double orderOfSums = 2, quarter = 1.25;

struct Answers {
  std::vector<Tokens> tokens;             // a prompt's continuation
  std::vector<std::vector<float>> logits; // [rows, vocab] of each text
  size_t vocab;
};

// Root mean square of the difference of all logits.
double distance(const Answers &a, const Answers &b) {
  double sum = 0, count = 0;
  for (size_t i = 0; i < a.logits.size(); ++i)
    for (size_t j = 0; j < a.logits[i].size(); ++j, ++count)
      sum += std::pow(double(a.logits[i][j]) - double(b.logits[i][j]), 2);
  return std::sqrt(sum / count);
}

// A model file with the KV cache that goes with it.
struct File {
  std::string path;
  DType cache;
};

class Check {
public:
  Check(const Json &goldens, File model, File exact) : bar(nearTie(goldens)), model(model), exact(exact) {
    for (size_t i = 0; i < prompts; ++i)
      asked.push_back(goldens["cases"][i]["prompt_tokens"].get<Tokens>());
  }
  // Everything that devices are compared with.
  Status prepare();
  Result<bool> device(const std::string &name) const;

private:
  // Continues the prompts and takes the logits of the texts; where there are none yet, of what it has written itself.
  Result<Answers> answers(const File &file, const std::string &device) const;
  Result<bool> sameAsCpu(const std::string &name) const;
  Result<bool> asGoodAsCpu(const std::string &name) const;
  bool atNearTie(size_t prompt, const Tokens &got) const;

  double bar;
  File model, exact;
  std::vector<Tokens> asked, texts; // prompts; prompts with what the CPU made of MODEL
  Answers cpu, exactCpu, exactOther;
  bool hasExact = false;
};

Result<Answers> Check::answers(const File &file, const std::string &device) const {
  decode::LoadOptions options;
  options.device = device;
  options.context = 512;
  options.cache = file.cache;
  decode::Model loaded = TESSERA_TRY(decode::Model::load(file.path, options));
  Answers all{{}, {}, size_t(loaded.config().vocab)};
  for (size_t i = 0; i < prompts; ++i) {
    all.tokens.push_back(TESSERA_TRY(loaded.generate(asked[i], {.maxTokens = steps})).tokens);
    Tokens text = asked[i];
    text.insert(text.end(), all.tokens[i].begin(), all.tokens[i].end());
    all.logits.push_back(TESSERA_TRY(loaded.logits(texts.empty() ? text : texts[i])));
  }
  return all;
}

Status Check::prepare() {
  cpu = TESSERA_TRY(answers(model, "cpu"));
  for (size_t i = 0; i < prompts; ++i) {
    texts.push_back(asked[i]);
    texts[i].insert(texts[i].end(), cpu.tokens[i].begin(), cpu.tokens[i].end());
  }
  hasExact = std::filesystem::exists(exact.path);
  if (!hasExact) {
    std::printf("left out: there is no %s, so only tokens are compared\n", exact.path.c_str());
    return {};
  }
  exactCpu = TESSERA_TRY(answers(exact, "cpu"));
  for (const char *other : {"cpu-avx2", "cpu-baseline"}) {
    exactOther = TESSERA_TRY(answers(exact, other));
    if (distance(exactOther, exactCpu) > 0) // else "cpu" is that row, or has vectors as long
      return {};
  }
  return internalError("every row of CPUs gives the same bits");
}

Result<bool> Check::sameAsCpu(const std::string &name) const {
  Answers got = TESSERA_TRY(answers(exact, name));
  double apart = distance(got, exactCpu), rows = distance(exactOther, exactCpu);
  bool tokens = got.tokens == exactCpu.tokens, near = apart <= orderOfSums * rows;
  std::printf("%s, weights, activations and cache in f32: %s, logits %.1e nat from the CPU's, where another CPU's are "
              "%.1e: %s\n",
              name.c_str(), tokens ? "tokens equal the CPU's" : "OTHER TOKENS", apart, rows, near ? "near" : "FAR");
  return tokens && near;
}

// Whether the device goes another way only where the CPU itself hardly prefers its own.
bool Check::atNearTie(size_t prompt, const Tokens &got) const {
  const Tokens &want = cpu.tokens[prompt];
  auto [mine, theirs] = std::ranges::mismatch(want, got);
  if (mine == want.end() && theirs == got.end()) {
    std::printf("  prompt %zu: %zu tokens equal the CPU's\n", prompt, got.size());
    return true;
  }
  if (mine == want.end() || theirs == got.end()) {
    std::printf("  prompt %zu: %zu TOKENS, where the CPU has %zu\n", prompt, got.size(), want.size());
    return false;
  }
  size_t step = size_t(mine - want.begin()), row = asked[prompt].size() - 1 + step;
  std::span<const float> logits = std::span(cpu.logits[prompt]).subspan(row * cpu.vocab, cpu.vocab);
  double lead = double(logits[size_t(*mine)]) - double(logits[size_t(*theirs)]);
  std::printf("  prompt %zu: parts at token %zu, where the CPU's choice leads by %.3f nat: %s below %.3f\n", prompt,
              step, lead, lead < bar ? "a near tie," : "NOT", bar);
  return lead < bar;
}

Result<bool> Check::asGoodAsCpu(const std::string &name) const {
  Answers got = TESSERA_TRY(answers(model, name));
  std::printf("%s, activations in 8 bits:\n", name.c_str());
  bool held = true;
  for (size_t i = 0; i < prompts; ++i)
    held &= atNearTie(i, got.tokens[i]);
  if (!hasExact)
    return held;
  double device = distance(got, exactCpu), own = distance(cpu, exactCpu);
  bool near = device <= quarter * own;
  std::printf("  logits %.3f nat from the exact model's, where the CPU's are %.3f (and %.3f from the device's): %s\n",
              device, own, distance(got, cpu), near ? "as good" : "WORSE");
  return held && near;
}

Result<bool> Check::device(const std::string &name) const {
  bool held = !hasExact || TESSERA_TRY(sameAsCpu(name));
  held &= TESSERA_TRY(asGoodAsCpu(name));
  std::fflush(stdout);
  return held;
}

Result<bool> check(char **arguments, std::span<char *const> devices) {
  Check check(Json::parse(std::ifstream(arguments[0])), {arguments[1], f16}, {arguments[2], f32});
  TESSERA_TRY(check.prepare());
  bool held = true;
  for (const char *device : devices)
    held &= TESSERA_TRY(check.device(device));
  return held;
}

} // namespace
} // namespace tessera

int main(int argc, char **argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: check_devices GOLDENS MODEL EXACT DEVICE...\n");
    return 2;
  }
  if (!std::filesystem::exists(argv[2])) {
    std::printf("skipped: there is no %s; scripts/demo fetches it where the package index can be reached\n", argv[2]);
    return 77;
  }
  auto held = tessera::check(argv + 1, std::span(argv + 4, size_t(argc - 4)));
  if (!held) {
    std::fprintf(stderr, "%s\n", held.error().message.c_str());
    return 1;
  }
  return *held ? 0 : 1;
}
