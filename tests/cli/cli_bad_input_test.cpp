// What `generate` says to files and flags that cannot work: one sentence, exit status 1 (2 for usage), nothing on
// standard output.
#include "tests/cli/process.h"
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <gtest/gtest.h>

namespace tessera::test {
namespace {

const std::string &tinyModel() {
  static const std::string bytes = [] {
    std::string path = scratch() + "/tiny.gguf";
    EXPECT_EQ(run({"make-model", "-o", path}).status, 0);
    std::ifstream file(path, std::ios::binary);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  }();
  return bytes;
}

// A damaged copy of the tiny model.
std::string damaged(const std::string &name, const std::function<void(std::string &)> &damage) {
  std::string bytes = tinyModel(), path = scratch() + "/" + name + ".gguf";
  damage(bytes);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

template <class T> void set(std::string &bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

// Where the type of a two-dimensional tensor stands.
size_t typeOf(const std::string &bytes, const std::string &tensor) {
  return bytes.find(tensor) + tensor.size() + 4 + 16;
}

void expectError(const std::vector<std::string> &flags, const std::string &sentence, int status = 1) {
  std::vector<std::string> arguments = {"generate"};
  arguments.insert(arguments.end(), flags.begin(), flags.end());
  Outcome outcome = run(arguments, {"TESSERA_CACHE=" + scratch() + "/cache"});
  EXPECT_EQ(outcome.status, status) << outcome.err;
  // Progress may come before; the sentence is the last thing said.
  EXPECT_TRUE(outcome.err.ends_with("tessera: " + sentence + "\n")) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

void expectFileError(const std::string &path, const std::string &sentence) {
  expectError({"--model", path, "--prompt", "x"}, path + ": " + sentence);
}

TEST(BadModel, Truncated) {
  std::string half = damaged("half", [](std::string &bytes) { bytes.resize(10'000); });
  Outcome outcome = run({"generate", "--model", half, "--prompt", "x"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err.rfind("tessera: " + half + ": ", 0), 0u) << outcome.err;
  EXPECT_EQ(outcome.err.find('\n'), outcome.err.size() - 1);
}

TEST(BadModel, OneByteShort) {
  size_t data = tinyModel().size() - 1; // the last tensor is output_norm.weight: 64 floats
  std::string path = damaged("short", [&](std::string &bytes) { bytes.resize(data); });
  Outcome outcome = run({"generate", "--model", path, "--prompt", "x"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err.rfind("tessera: " + path + ": tensor 'output_norm.weight' needs 256 bytes at offset ", 0), 0u)
      << outcome.err;
  EXPECT_NE(outcome.err.find("but the file is truncated"), std::string::npos);
}

TEST(BadModel, NotAGguf) {
  expectFileError(damaged("magic", [](std::string &bytes) { bytes[0] = 'X'; }),
                  "not a GGUF file: it does not start with the magic 'GGUF'");
  expectFileError(damaged("version", [](std::string &bytes) { set<uint32_t>(bytes, 4, 2); }),
                  "GGUF version 2 is not supported, only version 3");
  expectFileError(scratch() + "/missing.gguf", "cannot be opened: No such file or directory");
  expectFileError(scratch(), "is a folder without a config.json, so it holds no model");
  expectFileError(damaged("empty", [](std::string &bytes) { bytes.clear(); }), "the file is empty");
}

TEST(BadModel, OversizedCounts) {
  expectFileError(damaged("tensors", [](std::string &bytes) { set(bytes, 8, ~uint64_t(0)); }),
                  "the header claims 18446744073709551615 tensors, more than the file can hold");
  expectFileError(damaged("keys", [](std::string &bytes) { set(bytes, 16, uint64_t(1) << 40); }),
                  "the header claims 1099511627776 metadata keys, more than the file can hold");
}

TEST(BadModel, UnknownArchitecture) {
  expectFileError(damaged("mamba", [](std::string &bytes) { bytes.replace(bytes.find("llama"), 5, "mamba"); }),
                  "the architecture 'mamba' is unknown; known: llama, qwen2, qwen3, gemma2, gemma3, phi3");
}

TEST(BadModel, UnknownQuantization) {
  const std::string tensor = "blk.0.attn_q.weight";
  auto with = [&](uint32_t type) {
    return [&tensor, type](std::string &bytes) { set(bytes, typeOf(bytes, tensor), type); };
  };
  expectFileError(damaged("iq4", with(20)),
                  "the tensor 'blk.0.attn_q.weight' has the type IQ4_NL, which is not supported "
                  "for matrices; supported: F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K");
  expectFileError(damaged("type99", with(99)), "tensor 'blk.0.attn_q.weight' has the unknown type 99");
}

TEST(BadModel, MetadataAndTensorsDisagree) {
  expectFileError(damaged("missing-tensor",
                          [](std::string &bytes) { bytes.replace(bytes.find("blk.1.ffn_up.weight"), 5, "blk.7"); }),
                  "the tensor 'blk.1.ffn_up.weight' is missing");
  auto setInteger = [](const std::string &key, uint32_t value) {
    return [key, value](std::string &bytes) { set(bytes, bytes.find(key) + key.size() + 4, value); };
  };
  expectFileError(
      damaged("hidden", setInteger("llama.embedding_length", 96)),
      "the tensor 'token_embd.weight' has the shape [1024, 64] where the model's metadata asks for [1024, 96]");
  expectFileError(damaged("layers", setInteger("llama.block_count", 0)),
                  "the metadata key 'llama.block_count' is 0, outside 1 to 1073741824");
  expectFileError(damaged("heads", setInteger("llama.attention.head_count_kv", 3)),
                  "4 query heads cannot share 3 kv heads evenly");
}

TEST(BadModel, UnknownTokenizer) {
  expectFileError(damaged("spm", [](std::string &bytes) { bytes.replace(bytes.find("gpt2"), 4, "spmx"); }),
                  "the tokenizer model 'spmx' is not supported; supported: gpt2, llama");
  expectFileError(damaged("pre", [](std::string &bytes) { bytes.replace(bytes.find("smollm"), 6, "qwen99"); }),
                  "the pre-tokenizer 'qwen99' is not supported");
}

TEST(BadModel, ChatTemplateThatIsNotKnown) {
  std::string path = damaged("template", [](std::string &bytes) {
    for (size_t at = bytes.find("tokenizer.chat_template"); (at = bytes.find("<|im_start|>", at)) != std::string::npos;)
      bytes.replace(at, 12, "<|xx_start|>");
  });
  Outcome outcome = run({"generate", "--model", path, "--prompt", "x", "--chat"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_EQ(outcome.err.rfind("tessera: " + path + ": the chat template '{% for message in messages %}", 0), 0u);
  EXPECT_TRUE(outcome.err.ends_with("is not supported; supported: ChatML, Llama 3, Gemma, Phi-3, Mistral\n"))
      << outcome.err;
}

class BadRequest : public testing::Test {
protected:
  const std::string model = damaged("whole", [](std::string &) {});
  std::string longPrompt = std::string(4000, '!');
};

TEST_F(BadRequest, PromptLongerThanTheContext) {
  expectError({"--model", model, "--prompt", longPrompt},
              "the prompt of 4000 tokens is longer than the context of 256");
  expectError({"--model", model, "--prompt", "!!!!!!", "--context", "5"},
              "the prompt of 6 tokens is longer than the context of 5");
  expectError({"--model", model, "--prompt", "x", "--context", "257"},
              model + ": the model was trained for 256 tokens of context, not 257");
  expectError({"--model", model, "--prompt", ""}, "--prompt is empty: there is nothing to continue");
  expectError({"--model", model, "--prompt-file", scratch()}, scratch() + ": is a directory, not a file");
}

TEST_F(BadRequest, KvPoolExhausted) {
  expectError({"--model", model, "--prompt", "x", "--max-tokens", "40", "--kv-pages", "1"},
              "the KV pool is exhausted: all of its 1 pages are in use");
}

TEST_F(BadRequest, Device) {
  auto refused = [&](const char *device, const char *start) { // with a real GPU the rest of the sentence differs
    Outcome outcome = run({"generate", "--model", model, "--prompt", "x", "--device", device});
    EXPECT_EQ(outcome.status, 1);
    EXPECT_EQ(outcome.err.rfind(start, 0), 0u) << outcome.err;
  };
  refused("cuda:7", "tessera: cuda:7: ");
  refused("tpu", "tessera: unknown target 'tpu': known are cpu, ");
  refused("virtual:k80", "tessera: unknown virtual chip 'k80': known are t4, ");
}

TEST_F(BadRequest, Flags) {
  auto usage = [&](std::vector<std::string> flags, const std::string &sentence) {
    expectError(flags, sentence + "\nTry 'tessera generate --help'.", 2);
  };
  usage({"--model", model}, "--prompt is required");
  usage({"--prompt", "x"}, "--model is required");
  usage({"--model", model, "--prompt", "x", "--max-tokens", "0"}, "--max-tokens: Value 0 not in range 1 to 2147483648");
  usage({"--model", model, "--prompt", "x", "--max-tokens", "ten"},
        "--max-tokens: Value ten not in range 1 to 2147483648");
  usage({"--model", model, "--prompt", "x", "--temperature", "-1"},
        "--temperature: Value -1 not in range 0.000000 to 100.000000");
  usage({"--model", model, "--prompt", "x", "--threads", "-1"}, "--threads: Value -1 not in range 0 to 1024");
  usage({"--model", model, "--prompt", "x", "--page-size", "0"}, "--page-size: Value 0 not in range 1 to 1048576");
  usage({"--model", model, "--prompt", "x", "--prompt-file", "y"}, "--prompt excludes --prompt-file");
  usage({"--model", model, "--prompt", "x", "--frob"}, "The following argument was not expected: --frob");
}

} // namespace
} // namespace tessera::test
