// tessera: the command line. Exit status: 0, 1 (the user's or the machine's fault), 2 (usage), 70 (ours).
#include "cli/command.h"
#include "cli/console.h"
#include "compiler/compile.h"
#include <new>

namespace {
constexpr int usageError = 2;

// One sentence, then where help is.
int reportUsage(const CLI::App &app, const std::string &sentence) {
  std::string command = "tessera";
  for (const CLI::App *chosen = &app; !chosen->get_subcommands().empty();) {
    chosen = chosen->get_subcommands().front();
    command += " " + chosen->get_name();
  }
  tessera::cli::log("tessera: " + sentence);
  tessera::cli::log("Try '" + command + " --help'.");
  return usageError;
}

// The first argument where it is meant as a command and is none: the parser would only say that one is missing.
std::string unknownCommand(const CLI::App &app, int count, char **arguments) {
  std::string first = count > 1 ? arguments[1] : "";
  bool isKnown = first.empty() || first[0] == '-';
  for (const CLI::App *command : app.get_subcommands([](const CLI::App *) { return true; }))
    isKnown |= command->get_name() == first;
  return isKnown ? "" : first;
}

int runChecked(const tessera::cli::Run &run) {
  tessera::Status status = run();
  if (status)
    status = tessera::cli::flushOutput();
  return status ? 0 : tessera::cli::report(status.error());
}
} // namespace

int main(int count, char **arguments) {
  using namespace tessera;
  CLI::App app("Tessera: compiles tile kernels and generates text with them.", "tessera");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(compilerVersion()));
  app.footer("Each command has --help with an example. Exit status: 0, 1 (the input or the machine), 2 (usage), 70 (a "
             "mistake in Tessera).");
  cli::Run run;
  cli::addGenerate(app, run);
  cli::addDevices(app, run);
  cli::addCompile(app, run);
  cli::addBench(app, run);
  cli::addMakeModel(app, run);
  cli::addRunKernel(app, run);
  if (std::string command = unknownCommand(app, count, arguments); !command.empty())
    return reportUsage(app, "unknown command '" + command + "'");
  try {
    app.parse(count, arguments);
  } catch (const CLI::ParseError &error) {
    return error.get_exit_code() == 0 ? app.exit(error) : reportUsage(app, error.what());
  }
  try {
    return runChecked(run);
  } catch (const std::bad_alloc &) {
    return cli::report(deviceError("the machine has not enough memory for this"));
  } catch (const std::exception &error) {
    return cli::report(internalError(std::string("unexpected failure: ") + error.what()));
  }
}
