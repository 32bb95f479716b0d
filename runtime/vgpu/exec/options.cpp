#include "runtime/vgpu/exec/options.h"
#include <cstdlib>
#include <string_view>

namespace tessera::vgpu {

Options optionsFromEnvironment() {
  Options options;
  auto read = [](const char *name) -> std::string_view {
    const char *value = std::getenv(name);
    return value ? value : "";
  };
  std::string_view check = read("TESSERA_VGPU_CHECK");
  if (check == "off")
    options.checkBounds = options.checkShared = false;
  else if (check == "bounds")
    options.checkShared = false;
  else if (check == "all")
    options.checkGlobalInit = true;
  std::string_view schedule = read("TESSERA_VGPU_SCHEDULE");
  if (schedule.starts_with("random")) {
    options.randomSchedule = true;
    options.seed = schedule.size() > 7 ? std::strtoull(schedule.data() + 7, nullptr, 10) : 1;
  }
  if (uint64_t limit = std::strtoull(read("TESSERA_VGPU_LIMIT").data(), nullptr, 10))
    options.limit = limit;
  std::string_view model = read("TESSERA_VGPU_TC_MODEL");
  if (model == "exact_then_round")
    options.tensorModel = TensorModel::exactThenRound;
  else if (model == "truncate")
    options.tensorModel = TensorModel::truncate;
  options.askAssembler = read("TESSERA_VGPU_REGISTERS") != "liveness";
  options.threads = uint32_t(std::strtoul(read("TESSERA_VGPU_THREADS").data(), nullptr, 10));
  return options;
}

} // namespace tessera::vgpu
