#include "base/target.h"
#include "cli/command.h"
#include "cli/console.h"
#include <fstream>
#include <memory>
#include <thread>
#include <unistd.h>

namespace tessera::cli {

namespace {
// The processor's name as the system gives it.
std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (size_t colon = line.find(": "); colon != std::string::npos)
        return line.substr(colon + 2);
  return "unknown processor";
}

int64_t memoryBytes() { return int64_t(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE); }

Json row(std::string_view name, const Target &target) {
  return {{"name", name},
          {"target", target.name},
          {"kind", "real"},
          {"processor", processorName()},
          {"threads", std::thread::hardware_concurrency()},
          {"memory_bytes", memoryBytes()},
          {"vector_bits", target.vectorBytes * 8},
          {"features", target.needs},
          {"driver", "LLVM ORC, in process"}};
}

// "cpu" is the best row that this machine runs; the lesser ones go by their own names.
Result<Json> devices() {
  Json list = Json::array();
  list.push_back(row("cpu", *TESSERA_TRY(findTarget("cpu"))));
  for (const Target &target : targets())
    if (hostCanRun(target))
      list.push_back(row(target.name, target));
  return list;
}

Status showDevices(bool json) {
  Json list = TESSERA_TRY(devices());
  if (json) {
    printJson({{"devices", list}});
    return {};
  }
  for (const Json &device : list) {
    auto text = [&](const char *key) { return device[key].get<std::string>(); };
    std::string name = text("name");
    name.resize(std::max<size_t>(name.size(), 15), ' ');
    print(name + " " + text("processor") + ", " + std::to_string(device["threads"].get<int>()) + " threads, " +
          bytesText(device["memory_bytes"].get<double>()) + ", " + std::to_string(device["vector_bits"].get<int>()) +
          "-bit vectors (" + text("target") + ": " + text("features") + "), " + text("driver") + "\n");
  }
  return {};
}
} // namespace

void addDevices(CLI::App &app, Run &run) {
  CLI::App *command = app.add_subcommand("devices", "Lists the chips that can be used now.");
  command->footer("Example: tessera devices --json");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "One JSON object");
  command->callback([json, &run] { run = [json] { return showDevices(*json); }; });
}

} // namespace tessera::cli
