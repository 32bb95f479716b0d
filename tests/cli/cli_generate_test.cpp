// generate and bench decode on a tiny model, as a user and as a program would call them.
#include "tests/cli/process.h"
#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace tessera::test {
namespace {

using nlohmann::json;

class Generate : public testing::Test {
protected:
  static void SetUpTestSuite() { ASSERT_EQ(run({"make-model", "-o", model(), "--seed", "4"}).status, 0); }
  static std::string model() { return scratch() + "/tiny.gguf"; }
  // One cache for all: only the first test compiles.
  static Outcome generate(std::vector<std::string> flags, const std::string &interruptAfter = "") {
    std::vector<std::string> arguments = {"generate", "--model", model()};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    return run(arguments, {"TESSERA_CACHE=" + scratch() + "/cache"}, interruptAfter);
  }
  static json generateJson(std::vector<std::string> flags) {
    flags.push_back("--json");
    Outcome outcome = generate(flags);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.out.find('\n'), outcome.out.size() - 1);
    return json::parse(outcome.out, nullptr, false);
  }
};

TEST_F(Generate, TheFirstRunCompilesAndTheNextDoesNot) {
  json first = generateJson({"--prompt", "The wall", "--max-tokens", "9"});
  EXPECT_GT(first["timings"]["kernels_compiled"].get<int>(), 5);
  EXPECT_GT(first["timings"]["compile_ms"].get<double>(), 0);
  json second = generateJson({"--prompt", "The wall", "--max-tokens", "9"});
  EXPECT_EQ(second["timings"]["kernels_compiled"], 0);
  EXPECT_EQ(second["tokens"], first["tokens"]);
  EXPECT_EQ(second["text"], first["text"]);
}

TEST_F(Generate, TheObjectHasItsFields) {
  json said = generateJson({"--prompt", "The wall", "--max-tokens", "9"});
  EXPECT_EQ(said["model"], model());
  EXPECT_EQ(said["device"], "cpu");
  EXPECT_EQ(said["prompt_tokens"].size(), 2u);
  size_t count = said["tokens"].size();
  EXPECT_GT(count, 0u);
  EXPECT_LE(count, 9u);
  ASSERT_EQ(said["logprobs"].size(), count);
  for (const json &logprob : said["logprobs"])
    EXPECT_LE(logprob.get<double>(), 0);
  for (const char *key :
       {"load_ms", "compile_ms", "kernels_compiled", "prefill_tokens_per_s", "decode_tokens_per_s", "first_token_ms"})
    EXPECT_TRUE(said["timings"][key].is_number()) << key;
  for (const char *key : {"weights_bytes", "kv_bytes", "peak_rss_bytes"})
    EXPECT_GT(said["memory"][key].get<int64_t>(), 0) << key;
}

TEST_F(Generate, ThreadsPagesAndChunksChangeNothing) {
  json one = generateJson({"--prompt", "The stones and the river", "--max-tokens", "20", "--threads", "1"});
  json other = generateJson(
      {"--prompt", "The stones and the river", "--max-tokens", "20", "--threads", "3", "--page-size", "4"});
  EXPECT_EQ(one["tokens"], other["tokens"]);
  EXPECT_EQ(one["logprobs"], other["logprobs"]);
}

TEST_F(Generate, TheSeedDecidesWhereTheTemperatureIsOverZero) {
  std::vector<std::string> flags = {"--prompt", "x", "--max-tokens", "24", "--temperature", "1.5", "--seed", "1"};
  json first = generateJson(flags);
  EXPECT_EQ(generateJson(flags)["tokens"], first["tokens"]);
  flags.back() = "2";
  EXPECT_NE(generateJson(flags)["tokens"], first["tokens"]);
}

TEST_F(Generate, TheTextAloneIsOnStandardOutput) {
  std::string text = generateJson({"--prompt", "The wall", "--max-tokens", "9"})["text"];
  EXPECT_EQ(generate({"--prompt", "The wall", "--max-tokens", "9"}).out, text + "\n");
  Outcome streamed = generate({"--prompt", "The wall", "--max-tokens", "9", "--stream"});
  EXPECT_EQ(streamed.out, text + "\n");
  EXPECT_NE(streamed.err.find("kernels from cache"), std::string::npos);
}

TEST_F(Generate, ChatWrapsThePrompt) {
  json said = generateJson({"--prompt", "Hi", "--chat", "--max-tokens", "2"});
  EXPECT_EQ(said["prompt_tokens"].front(), 1); // <|im_start|>
  EXPECT_GT(said["prompt_tokens"].size(), 8u);
}

TEST_F(Generate, OutputEndsWithTheContext) {
  json said = generateJson({"--prompt", "The wall", "--max-tokens", "100000", "--context", "24"});
  EXPECT_LE(said["tokens"].size(), 24u);
  EXPECT_TRUE(said["finish"] == "context" || said["finish"] == "stop") << said["finish"];
}

TEST_F(Generate, InterruptKeepsWhatIsDone) {
  // Large enough that generation takes far longer than the signal; small enough to be made at once.
  std::string path = scratch() + "/large.gguf";
  ASSERT_EQ(run({"make-model", "-o", path, "--layers", "24", "--hidden", "256", "--feed-forward", "1024", "--context",
                 "4096"})
                .status,
            0);
  auto generate = [&](const std::string &tokens, const std::string &interruptAfter) {
    return run({"generate", "--model", path, "--prompt", "The wall", "--max-tokens", tokens, "--stream"},
               {"TESSERA_CACHE=" + scratch() + "/cache"}, interruptAfter);
  };
  std::string start = generate("2", "").out;
  start.pop_back(); // the line break at the end
  Outcome outcome = generate("4000", start);
  EXPECT_EQ(outcome.status, 1) << outcome.err;
  EXPECT_GT(outcome.out.size(), 1u);
  EXPECT_TRUE(outcome.out.ends_with("\n"));
  EXPECT_NE(outcome.err.find("tessera: interrupted after "), std::string::npos) << outcome.err;
}

TEST_F(Generate, BenchDecodeMeasures) {
  Outcome outcome = run(
      {"bench", "decode", "--model", model(), "--prompt-tokens", "8", "--gen-tokens", "16", "--repeats", "3", "--json"},
      {"TESSERA_CACHE=" + scratch() + "/cache"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  json said = json::parse(outcome.out);
  for (const char *phase : {"prefill_tokens_per_s", "decode_tokens_per_s"}) {
    EXPECT_GT(said[phase]["min"].get<double>(), 0);
    EXPECT_LE(said[phase]["min"].get<double>(), said[phase]["median"].get<double>());
    EXPECT_LE(said[phase]["median"].get<double>(), said[phase]["max"].get<double>());
  }
  EXPECT_EQ(said["repeats"], 3);
  EXPECT_EQ(said["prompt_tokens"], 8);
  EXPECT_GT(said["bytes_per_token"].get<double>(), 100'000);
  EXPECT_GT(said["read_bandwidth_gb_s"].get<double>(), 0); // how fast is the machine's affair
  Outcome tooLong = run({"bench", "decode", "--model", model(), "--prompt-tokens", "200", "--gen-tokens", "100"},
                        {"TESSERA_CACHE=" + scratch() + "/cache"});
  EXPECT_EQ(tooLong.status, 1);
  EXPECT_TRUE(
      tooLong.err.ends_with("tessera: --prompt-tokens and --gen-tokens together exceed the context of 256 tokens\n"))
      << tooLong.err;
}

TEST_F(Generate, BenchDecodeTakesBatchesAndSchedules) {
  auto bench = [&](std::vector<std::string> flags) {
    std::vector<std::string> command{"bench",           "decode", "--model",      model(),
                                     "--prompt-tokens", "8",      "--gen-tokens", "8"};
    command.insert(command.end(), flags.begin(), flags.end());
    return run(command, {"TESSERA_CACHE=" + scratch() + "/cache"});
  };
  Outcome outcome = bench({"--repeats", "2", "--batch", "1,3", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  json said = json::parse(outcome.out);
  ASSERT_EQ(said["batches"].size(), 2u);
  EXPECT_EQ(said["batches"][0]["batch"], 1);
  EXPECT_EQ(said["batches"][1]["batch"], 3);
  EXPECT_EQ(said["decode_tokens_per_s"], said["batches"][0]["decode_tokens_per_s"]);
  double alone = said["batches"][0]["bytes_per_token"], shared = said["batches"][1]["bytes_per_token"];
  EXPECT_LT(shared, alone); // three share a read of the weights
  EXPECT_GT(3 * shared, alone);
  EXPECT_EQ(bench({"--repeats", "1", "--schedule", "attention:bn=8", "--split", "64"}).status, 0);
  auto refusal = [&](const std::string &schedule) {
    Outcome refused = bench({"--schedule", schedule});
    EXPECT_EQ(refused.status, 1);
    return refused.err.substr(std::min(refused.err.find("tessera: "), refused.err.size()));
  };
  EXPECT_EQ(refusal("attention"), "tessera: --schedule 'attention': want OP:field=number,...\n");
  EXPECT_EQ(refusal("attention:bq=8"), "tessera: config has no field 'bq': it has bh, bm, bn, blocks, sums\n");
  EXPECT_TRUE(refusal("conv:bm=8").starts_with("tessera: unknown op 'conv'"));
}

} // namespace
} // namespace tessera::test
