#include "cli/command.h"

namespace tessera::cli {

void addBench(CLI::App &app, Run &run) {
  CLI::App *command =
      app.add_subcommand("bench", "Measures speed, and how well a model predicts, on a device that is really there.");
  command->require_subcommand(1);
  addBenchCompile(*command, run);
  addBenchDecode(*command, run);
  addBenchGemm(*command, run);
  addBenchOp(*command, run);
  addBenchPerplexity(*command, run);
}

} // namespace tessera::cli
