#include "cli/command.h"
#include "cli/console.h"
#include "runtime/decode/perplexity.h"
#include "runtime/model/mapped_file.h"
#include "runtime/model/model_file.h"
#include <memory>

namespace tessera::cli {

namespace {
struct Options {
  std::string model, text;
  int64_t context = 512;
  bool json = false;
  decode::LoadOptions load;
};

Status benchPerplexity(const Options &options) {
  auto text = TESSERA_TRY(model::MappedFile::open(options.text));
  model::ModelFile file = TESSERA_TRY(model::ModelFile::open(options.model));
  model::Tokenizer tokenizer = TESSERA_TRY(file.tokenizer());
  std::vector<int32_t> tokens = TESSERA_TRY(
      tokenizer.encode(std::string(reinterpret_cast<const char *>(text->bytes().data()), text->bytes().size())));
  Progress progress("compiling kernels");
  decode::LoadOptions load = options.load;
  load.engine.onProgress = [&](const CompileProgress &state) { progress.update(state.name, state.done, state.total); };
  decode::Model model = TESSERA_TRY(decode::Model::load(options.model, load));
  progress.finish();
  decode::Perplexity result = TESSERA_TRY(decode::perplexity(model, tokens, options.context));
  if (options.json)
    printJson({{"model", options.model},
               {"text", options.text},
               {"context", options.context},
               {"scored_tokens", result.scored},
               {"perplexity", result.value}});
  else
    print("perplexity " + number(result.value) + " over " + std::to_string(result.scored) + " tokens in chunks of " +
          std::to_string(options.context) + "\n");
  return {};
}
} // namespace

void addBenchPerplexity(CLI::App &bench, Run &run) {
  CLI::App *command = bench.add_subcommand("perplexity", "How well a model predicts a text.");
  command->footer("Example: tessera bench perplexity --model SmolLM2-135M-Instruct.Q4_1.gguf --text "
                  "tests/goldens/text/public_domain.txt");
  auto options = std::make_shared<Options>();
  command->add_option("--model", options->model, "A GGUF file, or a folder with safetensors")->required();
  command->add_option("--text", options->text, "A file of UTF-8 text")->required();
  command->add_option("--context", options->context, "Tokens a chunk; the second half of each is scored")
      ->check(CLI::Range(int64_t(4), int64_t(1) << 20))
      ->capture_default_str();
  command->add_option("--device", options->load.device, "See tessera devices")->capture_default_str();
  command->add_option("--threads", options->load.threads, "CPU threads; 0 is one a hardware thread")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] { run = [options] { return benchPerplexity(*options); }; });
}

} // namespace tessera::cli
