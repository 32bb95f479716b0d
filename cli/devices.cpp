#include "base/target.h"
#include "cli/command.h"
#include "cli/console.h"
#include "runtime/driver/driver.h"
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

// What kernels can count on beside the basics, by capability: CUDA programming guide, features by compute capability.
std::string featuresOf(int arch) {
  std::string list = "f16 tensor cores";
  if (arch >= 75)
    list += ", ldmatrix, int8 tensor cores";
  if (arch >= 80)
    list += ", bf16 and tf32 tensor cores, cp.async";
  if (arch >= 89)
    list += ", fp8 tensor cores";
  if (arch >= 90)
    list += ", TMA, wgmma, clusters";
  return list;
}

Json row(const driver::CudaDevice &device) {
  return {{"name", device.name},
          {"target", "sm_" + std::to_string(device.arch)},
          {"kind", device.isVirtual ? "virtual" : "real"},
          {"processor", device.processor},
          {"multiprocessors", device.multiprocessors},
          {"memory_bytes", device.memoryBytes},
          {"shared_bytes", device.sharedBytes},
          {"features", featuresOf(device.arch)},
          {"driver", device.driver}};
}

// "cpu" is the best row that this machine runs; the lesser ones go by their own names.
Result<Json> devices() {
  Json list = Json::array();
  list.push_back(row("cpu", *TESSERA_TRY(findTarget("cpu"))));
  for (const Target &target : targets())
    if (hostCanRun(target))
      list.push_back(row(target.name, target));
  for (const driver::CudaDevice &device : driver::listCuda())
    list.push_back(row(device));
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
    if (device.contains("multiprocessors")) {
      print(name + " " + text("processor") + ", " + device["multiprocessors"].dump() + " SMs, " +
            bytesText(device["memory_bytes"].get<double>()) + ", " +
            std::to_string(device["shared_bytes"].get<int64_t>() / 1024) + " KiB shared memory a block (" +
            text("target") + ": " + text("features") + "), " + text("driver") + "\n");
      continue;
    }
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
