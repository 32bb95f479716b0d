// The subcommands of `tessera`: each adds its flags to the parser and says what to run once they are parsed.
#pragma once
#include "base/result.h"
#include <CLI/CLI.hpp>
#include <functional>

namespace tessera::cli {

// Set by the subcommand that was chosen.
using Run = std::function<Status()>;

void addGenerate(CLI::App &app, Run &run);
void addDevices(CLI::App &app, Run &run);
void addCompile(CLI::App &app, Run &run);
void addBench(CLI::App &app, Run &run);
void addBenchCompile(CLI::App &bench, Run &run);
void addBenchDecode(CLI::App &bench, Run &run);
void addBenchGemm(CLI::App &bench, Run &run);
void addBenchOp(CLI::App &bench, Run &run);
void addBenchPerplexity(CLI::App &bench, Run &run);
void addMakeModel(CLI::App &app, Run &run);
void addRunKernel(CLI::App &app, Run &run);

} // namespace tessera::cli
