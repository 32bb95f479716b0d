#include "runtime/decode/decoder.h"
#include "tests/decode/tiny_model.h"
#include <algorithm>
#include <gtest/gtest.h>

namespace tessera::decode {

static Model load(const LoadOptions &options = testOptions()) { return Model::load(tinyModel(), options).value(); }

TEST(Generate, GreedyTakesTheLargestLogitEachTime) {
  Model model = load();
  std::vector<int32_t> text = someTokens(9);
  Generation out = model.generate(text, {.maxTokens = 12, .logprobs = true}).value();
  ASSERT_EQ(out.tokens.size(), 12u);
  EXPECT_EQ(out.logprobs.size(), 12u);
  EXPECT_EQ(out.finish, Finish::length);
  int64_t vocab = model.config().vocab;
  for (int32_t token : out.tokens) { // one long prefill says the same as many decode steps
    std::vector<float> logits = model.logits(text).value();
    EXPECT_EQ(std::max_element(logits.end() - vocab, logits.end()) - (logits.end() - vocab), token);
    text.push_back(token);
  }
  for (float logprob : out.logprobs)
    EXPECT_LT(logprob, 0);
}

TEST(Generate, SeedsReproduceAndDiffer) {
  Model model = load();
  auto run = [&](uint64_t seed) {
    return model.generate(someTokens(5), {.maxTokens = 16, .sampling = {1.0, seed}}).value().tokens;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Generate, StopsWhereItIsTold) {
  Model model = load();
  std::vector<int32_t> free = model.generate(someTokens(5), {.maxTokens = 8}).value().tokens;
  Generation stopped = model.generate(someTokens(5), {.maxTokens = 8, .stopTokens = {free[3]}}).value();
  size_t first = size_t(std::find(free.begin(), free.end(), free[3]) - free.begin());
  EXPECT_EQ(stopped.tokens, std::vector<int32_t>(free.begin(), free.begin() + ptrdiff_t(first)));
  EXPECT_EQ(stopped.finish, Finish::stopToken);
  std::vector<int32_t> seen;
  GenerateOptions options{.maxTokens = 8};
  options.onToken = [&](int32_t token) {
    seen.push_back(token);
    return seen.size() < 3;
  };
  Generation called = model.generate(someTokens(5), options).value();
  EXPECT_EQ(called.finish, Finish::caller);
  EXPECT_EQ(called.tokens, seen);
  EXPECT_EQ(seen.size(), 3u);
}

TEST(Generate, EndsWithTheContext) {
  LoadOptions options = testOptions();
  options.context = 20;
  Model model = load(options);
  Generation out = model.generate(someTokens(15), {.maxTokens = 100}).value();
  EXPECT_EQ(out.finish, Finish::context);
  EXPECT_EQ(out.tokens.size(), 6u); // the last one needs no room
  EXPECT_EQ(model.generate(someTokens(20), {.maxTokens = 100}).value().tokens.size(), 1u);
}

TEST(Generate, TextsTogetherAreThoseAlone) {
  LoadOptions load = testOptions();
  load.context = 40;
  load.sequences = 4;
  Model model = decode::load(load);
  std::vector<std::vector<int32_t>> prompts;
  for (size_t length : {5, 33, 1, 17}) // the second meets the context's end
    prompts.push_back(someTokens(length));
  int32_t stop = model.generate(prompts[3], {.maxTokens = 6}).value().tokens.back();
  for (double temperature : {0.0, 1.0}) {
    GenerateOptions options{.maxTokens = 20, .sampling = {temperature, 7}, .stopTokens = {stop}, .logprobs = true};
    std::vector<Generation> together = model.generateAll(prompts, options).value();
    ASSERT_EQ(together.size(), prompts.size());
    for (size_t i = 0; i < prompts.size(); ++i) {
      options.sampling.seed = 7 + i;
      Generation alone = model.generate(prompts[i], options).value();
      EXPECT_EQ(together[i].tokens, alone.tokens) << i;
      EXPECT_EQ(together[i].logprobs, alone.logprobs) << i;
      EXPECT_EQ(together[i].finish, alone.finish) << i;
    }
  }
  prompts.push_back(someTokens(40));
  EXPECT_EQ(model.generateAll(prompts).error().message, "the KV pool is exhausted: all of its 12 pages are in use");
  EXPECT_TRUE(model.generateAll({}).value().empty());
}

TEST(Generate, RefusesWhatCannotBe) {
  LoadOptions options = testOptions();
  options.context = 40;
  options.kvPages = 2;
  Model model = load(options);
  auto refusal = [&](std::span<const int32_t> prompt, const GenerateOptions &how = {}) {
    Result<Generation> out = model.generate(prompt, how);
    return out ? "generated" : out.error().message;
  };
  EXPECT_EQ(refusal({}), "the prompt holds no token");
  EXPECT_EQ(refusal(someTokens(41)), "the prompt of 41 tokens is longer than the context of 40");
  EXPECT_EQ(refusal(someTokens(33)), "the KV pool is exhausted: all of its 2 pages are in use");
  EXPECT_EQ(refusal(someTokens(30)), "the KV pool is exhausted: all of its 2 pages are in use"); // while decoding
  EXPECT_EQ(refusal(std::vector<int32_t>{1, 1024}), "token 1024 is not in the vocabulary of 1024 tokens");
  EXPECT_EQ(refusal(std::vector<int32_t>{-1}), "token -1 is not in the vocabulary of 1024 tokens");
  EXPECT_EQ(refusal(someTokens(3), {.sampling = {-1.0, 0}}), "the temperature must be a number of at least 0");
  EXPECT_EQ(model.generate(someTokens(8), {.maxTokens = 3}).value().tokens.size(), 3u); // and nothing has leaked
}

TEST(Load, RefusesOptionsThatMakeNoSense) {
  auto refusal = [&](auto change) {
    LoadOptions options = testOptions();
    change(options);
    Result<Model> model = Model::load(tinyModel(), options);
    return model ? "loaded" : model.error().message;
  };
  EXPECT_EQ(refusal([](LoadOptions &o) { o.pageSize = 0; }), "a page holds 1 to 4096 tokens, not 0");
  EXPECT_EQ(refusal([](LoadOptions &o) { o.chunk = 0; }), "a prefill step takes 1 to 65536 tokens, not 0");
  EXPECT_EQ(refusal([](LoadOptions &o) { o.cache = i8; }), "a KV cache holds f16 or f32, not i8");
  EXPECT_EQ(refusal([](LoadOptions &o) { o.kvPages = -1; }), "a KV pool cannot have -1 pages");
  EXPECT_EQ(refusal([](LoadOptions &o) { o.sequences = 0; }), "1 to 65536 sequences are decoded at once, not 0");
  EXPECT_EQ(refusal([](LoadOptions &o) { o.split = 0; }), "a softmax is taken of 1 to 2^30 positions, not of 0");
  EXPECT_EQ(refusal([](LoadOptions &o) { o.context = 257; }),
            tinyModel() + ": the model was trained for 256 tokens of context, not 257");
  EXPECT_EQ(refusal([](LoadOptions &o) { o.device = "tpu"; }).substr(0, 20), "unknown target 'tpu'");
}

TEST(Load, ReportsWhatItHolds) {
  Model cold = load();
  Model warm = load();
  EXPECT_EQ(warm.report().kernelsCompiled, 0);
  EXPECT_EQ(warm.report().compileMs, 0);
  EXPECT_EQ(warm.report().kvBytes, 2 * 2 * 256 * 2 * 16 * 2); // layers, K and V, context, kv heads, head, f16
  LoadOptions wide = testOptions();
  wide.cache = f32;
  EXPECT_EQ(load(wide).report().kvBytes, 2 * warm.report().kvBytes);
  EXPECT_GT(warm.report().weightsBytes, 100'000);
  EXPECT_GT(warm.report().activationBytes, 0);
  EXPECT_GT(peakRssBytes(), warm.report().weightsBytes);
}

static Decoder makeDecoder(int64_t pages, int64_t split = 512) {
  model::Gguf file = model::Gguf::open(tinyModel()).value();
  model::ModelConfig config = model::modelConfig(file).value();
  Device device = Device::open("cpu", {.threads = 2}).value();
  const model::AttentionShape &heads = config.attention;
  KvPool pool = KvPool::make(device, {config.layers, heads.kvHeads, heads.headDim, pages, 16}).value();
  return Decoder::make(Engine(device, testOptions().engine), config, loadWeights(file.named(), config, device).value(),
                       std::move(pool), {.context = 128, .chunk = 32, .split = split})
      .value();
}

static std::vector<float> copy(const StepResult &step) {
  std::span<const float> logits = step.logits().value();
  return {logits.begin(), logits.end()};
}

TEST(Decoder, APromptMayComeInParts) {
  Decoder decoder = makeDecoder(16);
  std::vector<int32_t> text = someTokens(70);
  KvSequence whole = decoder.sequence(), parts = decoder.sequence();
  std::vector<float> expected = copy(decoder.prefill(whole, text).value());
  ASSERT_TRUE(decoder.prefill(parts, std::span(text).first(33)));
  EXPECT_EQ(copy(decoder.prefill(parts, std::span(text).subspan(33)).value()), expected);
}

TEST(Decoder, AnExhaustedPoolLeavesEverySequenceAsItWas) {
  Decoder decoder = makeDecoder(3);
  KvSequence first = decoder.sequence(), second = decoder.sequence(), third = decoder.sequence();
  ASSERT_TRUE(decoder.prefill(first, someTokens(16)));
  ASSERT_TRUE(decoder.prefill(second, someTokens(16)));
  EXPECT_FALSE(decoder.prefill(third, someTokens(40))); // its first chunk fits, its second does not
  EXPECT_EQ(third.length(), 0);
  KvSequence *both[] = {&first, &second};
  const int32_t tokens[] = {1, 2};
  EXPECT_FALSE(decoder.decode(both, tokens)); // there is one page for two
  EXPECT_EQ(first.length(), 16);
  EXPECT_EQ(second.length(), 16);
  EXPECT_EQ(decoder.cache().freePages(), 1);
  EXPECT_TRUE(decoder.decode(std::span(both, 1), std::span(tokens, 1)));
}

// Sequences in one batch, joining at different lengths, get the bits that they get alone.
TEST(Decoder, BatchesChangeNothing) {
  Decoder decoder = makeDecoder(64);
  auto follow = [&](KvSequence &sequence, int32_t token) { // the logits after one more token
    KvSequence *one = &sequence;
    return copy(decoder.decode(std::span(&one, 1), std::span(&token, 1)).value());
  };
  std::vector<KvSequence> alone, batched;
  for (size_t i = 0; i < 8; ++i) {
    for (auto *into : {&alone, &batched}) {
      into->push_back(decoder.sequence());
      ASSERT_TRUE(decoder.prefill(into->back(), someTokens(3 + 11 * i)));
    }
  }
  std::vector<KvSequence *> all;
  for (KvSequence &sequence : batched)
    all.push_back(&sequence);
  for (int32_t round = 0; round < 3; ++round) {
    const std::vector<int32_t> tokens = {7 + round, 8, 500, 31 * round, 1023, 64, 2 * round, 900};
    std::vector<float> together = copy(decoder.decode(all, tokens).value()), apart;
    for (size_t i = 0; i < alone.size(); ++i)
      for (float logit : follow(alone[i], tokens[i]))
        apart.push_back(logit);
    EXPECT_EQ(together, apart);
  }
  std::vector<KvSequence> forks; // a fork goes on as its parent would
  forks.push_back(decoder.cache().fork(alone[2]).value());
  std::vector<float> fromFork = follow(forks[0], 99);
  EXPECT_EQ(fromFork, follow(alone[2], 99));
}

// Attention in one program and in parts that another kernel merges: batches of 1, 2 and 8, on both sides of the lengths
// from which a step is planned in parts.
TEST(Decoder, SplitsChangeNothing) {
  Decoder decoder = makeDecoder(64, 16);
  std::vector<int32_t> text = someTokens(100);
  for (size_t batch : {1, 2, 8}) {
    std::vector<KvSequence> sequences;
    std::vector<KvSequence *> all;
    for (size_t i = 0; i < batch; ++i) {
      sequences.push_back(decoder.sequence());
      ASSERT_TRUE(decoder.prefill(sequences.back(), std::span(text).first(29 + 5 * i)));
    }
    for (KvSequence &sequence : sequences)
      all.push_back(&sequence);
    for (size_t round = 0; round < 6; ++round) { // the longest passes 32 and 64
      std::vector<int32_t> tokens;
      for (size_t i = 0; i < batch; ++i)
        tokens.push_back(text[29 + 5 * i + round]);
      std::vector<float> together = copy(decoder.decode(all, tokens).value()), prefilled;
      for (size_t i = 0; i < batch; ++i) {
        KvSequence whole = decoder.sequence();
        for (float logit : copy(decoder.prefill(whole, std::span(text).first(30 + 5 * i + round)).value()))
          prefilled.push_back(logit);
      }
      EXPECT_EQ(together, prefilled) << "batch " << batch << ", round " << round;
    }
  }
}

} // namespace tessera::decode
