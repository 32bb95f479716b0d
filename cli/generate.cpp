#include "cli/command.h"
#include "cli/console.h"
#include "runtime/decode/model.h"
#include "runtime/model/mapped_file.h"
#include "runtime/model/tokenizer.h"
#include <memory>
#include <unistd.h>

namespace tessera::cli {

namespace {
struct Options {
  std::string model, prompt, promptFile;
  bool chat = false, stream = false, json = false;
  decode::LoadOptions load;
  decode::GenerateOptions generate;
};

// The prompt as tokens. The vocabulary is read before the weights, so that mistakes show at once.
struct Prompt {
  model::Tokenizer tokenizer;
  std::vector<int32_t> tokens;
};

Result<std::string> promptText(const Options &options) {
  if (options.promptFile.empty())
    return options.prompt;
  auto file = TESSERA_TRY(model::MappedFile::open(options.promptFile));
  return std::string(reinterpret_cast<const char *>(file->bytes().data()), file->bytes().size());
}

Result<Prompt> readPrompt(const Options &options) {
  std::string text = TESSERA_TRY(promptText(options));
  model::ModelFile file = TESSERA_TRY(model::ModelFile::open(options.model));
  const model::ModelConfig &config = file.config();
  Prompt prompt{TESSERA_TRY(file.tokenizer()), {}};
  if (options.chat)
    text = TESSERA_TRY(file.chatPrompt(text));
  prompt.tokens = TESSERA_TRY(prompt.tokenizer.encode(text));
  if (prompt.tokens.empty())
    return invalidArgument("--prompt is empty: there is nothing to continue");
  int64_t context = options.load.context ? options.load.context : config.context;
  if (int64_t(prompt.tokens.size()) > context)
    return invalidArgument("the prompt of " + std::to_string(prompt.tokens.size()) +
                           " tokens is longer than the context of " + std::to_string(context));
  return prompt;
}

std::vector<int32_t> endTokens(const model::Tokenizer &tokenizer) {
  std::vector<int32_t> ends;
  for (int32_t token = 0; token < tokenizer.size(); ++token)
    if (tokenizer.isEnd(token))
      ends.push_back(token);
  return ends;
}

Result<decode::Model> loadModel(const Options &options) {
  Progress progress("compiling kernels");
  decode::LoadOptions load = options.load;
  load.engine.onProgress = [&](const CompileProgress &state) { progress.update(state.name, state.done, state.total); };
  return decode::Model::load(options.model, load);
}

// With --json the text belongs to the object, so a stream of it goes where logs go.
void show(const Options &options, std::string_view text) {
  std::FILE *out = options.json ? stderr : stdout;
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

struct Outcome {
  decode::Generation generation;
  std::string text;
  bool interrupted = false;
};

Result<Outcome> runModel(const Options &options, decode::Model &model, const Prompt &prompt) {
  Outcome outcome;
  model::Utf8Stream stream;
  InterruptGuard guard;
  auto append = [&](const std::string &piece) {
    outcome.text += piece;
    if (options.stream)
      show(options, piece);
  };
  decode::GenerateOptions generate = options.generate;
  generate.stopTokens = endTokens(prompt.tokenizer);
  generate.logprobs = options.json;
  generate.onToken = [&](int32_t token) {
    append(stream.push(prompt.tokenizer.piece(token)));
    return !guard.interrupted();
  };
  outcome.generation = TESSERA_TRY(model.generate(prompt.tokens, generate));
  append(stream.finish());
  outcome.interrupted = guard.interrupted();
  return outcome;
}

std::string_view finishName(decode::Finish finish) {
  switch (finish) {
  case decode::Finish::length:
    return "length";
  case decode::Finish::stopToken:
    return "stop";
  case decode::Finish::context:
    return "context";
  case decode::Finish::caller:
    return "interrupted";
  }
  return "";
}

Json toJson(const Options &options, const decode::Model &model, const Prompt &prompt, const Outcome &outcome) {
  const decode::Generation &generation = outcome.generation;
  decode::LoadReport load = model.report();
  return {
      {"model", options.model},
      {"device", options.load.device},
      {"prompt_tokens", prompt.tokens},
      {"tokens", generation.tokens},
      {"text", outcome.text},
      {"logprobs", generation.logprobs},
      {"finish", finishName(generation.finish)},
      {"timings",
       {{"kind", generation.modelled ? "modelled" : "measured"},
        {"load_ms", load.loadMs},
        {"compile_ms", load.compileMs},
        {"kernels_compiled", load.kernelsCompiled},
        {"prefill_tokens_per_s", generation.prefillTokensPerS},
        {"decode_tokens_per_s", generation.decodeTokensPerS},
        {"first_token_ms", generation.firstTokenMs}}},
      {"memory",
       {{"weights_bytes", load.weightsBytes}, {"kv_bytes", load.kvBytes}, {"peak_rss_bytes", decode::peakRssBytes()}}}};
}

void logSummary(const decode::Model &model, const Prompt &prompt, const decode::Generation &generation) {
  decode::LoadReport load = model.report();
  std::string kernels = load.kernelsCompiled == 0 ? "kernels from cache"
                                                  : std::to_string(load.kernelsCompiled) + " kernels compiled in " +
                                                        number(load.compileMs / 1000) + " s";
  log("[" + std::string(model.device().target().name) + ", " + std::to_string(model.device().threads()) +
      " threads; loaded in " + number(load.loadMs / 1000, 2) + " s, " + kernels + "; prompt " +
      std::to_string(prompt.tokens.size()) + " tokens at " + number(generation.prefillTokensPerS) + "/s, " +
      std::to_string(generation.tokens.size()) + " new at " + number(generation.decodeTokensPerS) +
      (generation.modelled ? "/s, both modelled]" : "/s]"));
}

Status generate(Options options) {
  options.stream |= !options.json && ::isatty(STDOUT_FILENO) == 1;
  Prompt prompt = TESSERA_TRY(readPrompt(options));
  decode::Model model = TESSERA_TRY(loadModel(options));
  Outcome outcome = TESSERA_TRY(runModel(options, model, prompt));
  if (options.json) {
    if (options.stream)
      log("");
    printJson(toJson(options, model, prompt, outcome));
  } else {
    print((options.stream ? "" : outcome.text) + "\n");
    TESSERA_TRY(flushOutput());
    logSummary(model, prompt, outcome.generation);
  }
  if (outcome.interrupted)
    return ioError("interrupted after " + std::to_string(outcome.generation.tokens.size()) + " tokens");
  return {};
}
} // namespace

void addGenerate(CLI::App &app, Run &run) {
  CLI::App *command = app.add_subcommand("generate", "Continues a text with a model.");
  command->footer(
      "Example: tessera generate --model SmolLM2-135M-Instruct.Q4_1.gguf --chat --prompt \"What is gravity?\" "
      "--max-tokens 64\nThe text goes to standard output, everything else to standard error.");
  auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "A GGUF file")->required();
  CLI::Option *prompt = command->add_option("--prompt", options->prompt, "The text to continue");
  CLI::Option *file = command->add_option("--prompt-file", options->promptFile, "The same, from a file");
  prompt->excludes(file);
  command->add_option("--max-tokens", options->generate.maxTokens, "Most new tokens")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 31))
      ->capture_default_str();
  command->add_option("--temperature", options->generate.sampling.temperature, "0 takes the likeliest token")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--seed", options->generate.sampling.seed, "Of the draws where the temperature is over 0")
      ->capture_default_str();
  command->add_option("--device", options->load.device, "See tessera devices")->capture_default_str();
  command->add_option("--threads", options->load.threads, "CPU threads; 0 is one a hardware thread")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_option("--page-size", options->load.pageSize, "Tokens a page of the KV cache")
      ->check(CLI::Range(int64_t(1), int64_t(1) << 20))
      ->capture_default_str();
  command->add_option("--context", options->load.context, "Longest sequence; 0 is the model's own, at most 8192")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 31))
      ->capture_default_str();
  command->add_option("--kv-pages", options->load.kvPages, "Pages of the KV pool; 0 is enough for the context")
      ->check(CLI::Range(int64_t(0), int64_t(1) << 31))
      ->capture_default_str();
  command->add_flag("--chat", options->chat, "Wraps the prompt as a user's message in the model's chat template");
  command->add_flag("--stream", options->stream, "Shows the text as it grows (always so on a terminal)");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([=, &run] {
    if (prompt->empty() && file->empty())
      throw CLI::RequiredError("--prompt");
    run = [options] { return generate(*options); };
  });
}

} // namespace tessera::cli
