#include "runtime/model/make_model.h"
#include "cli/command.h"
#include "cli/console.h"
#include <filesystem>
#include <memory>

namespace tessera::cli {

namespace {
struct Options {
  std::string output;
  model::ModelOptions model;
  bool untied = false;
  bool json = false;
};

Status makeModel(Options &options) {
  options.model.shape.tiedHead = !options.untied;
  TESSERA_TRY(model::makeModel(options.output, options.model));
  uint64_t bytes = std::filesystem::file_size(options.output);
  if (options.json)
    printJson({{"model", options.output}, {"bytes", bytes}});
  else
    print(options.output + ": " + bytesText(double(bytes)) + "\n");
  return {};
}
} // namespace

void addMakeModel(CLI::App &app, Run &run) {
  CLI::App *command = app.add_subcommand("make-model", "Writes a tiny random model for tests.");
  command->footer("Example: tessera make-model -o tiny.gguf --layers 2 --hidden 64 --quant Q4_1 --seed 1");
  auto options = std::make_shared<Options>();
  model::ModelShape &shape = options->model.shape;
  command->add_option("-o,--output", options->output, "The GGUF file to write")->required();
  command->add_option("--arch", options->model.arch, "Architecture: llama")->capture_default_str();
  command->add_option("--quant", options->model.quant, "Format of the matrices: Q4_1, Q4_0, Q8_0, F16")
      ->capture_default_str();
  command->add_option("--seed", options->model.seed, "The same seed gives the same file")->capture_default_str();
  command->add_option("--layers", shape.layers, "Transformer blocks")->capture_default_str();
  command->add_option("--hidden", shape.hidden, "Width of the residual stream, a multiple of 32")
      ->capture_default_str();
  command->add_option("--feed-forward", shape.feedForward, "Width of the MLP, a multiple of 32")->capture_default_str();
  command->add_option("--heads", shape.heads, "Query heads")->capture_default_str();
  command->add_option("--kv-heads", shape.kvHeads, "Key and value heads")->capture_default_str();
  command->add_option("--vocab", shape.vocab, "Tokens, at least 320")->capture_default_str();
  command->add_option("--context", shape.context, "Longest sequence")->capture_default_str();
  command->add_flag("--untied", options->untied, "A head of its own instead of the embedding");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] { run = [options] { return makeModel(*options); }; });
}

} // namespace tessera::cli
