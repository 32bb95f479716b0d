// tessera run-kernel: one kernel of a PTX file on a GPU, real or virtual, with its report.
#include "cli/command.h"
#include "cli/console.h"
#include "cli/kernel_argument.h"
#include "cli/kernel_report.h"
#include "cli/kernel_trace.h"
#include "runtime/device.h"
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <unistd.h>

namespace tessera::cli {

namespace {
struct Options {
  std::string file, device = "virtual:a100", kernel, grid = "1", block = "1";
  std::string trace, schedule, tensorModel;
  std::vector<std::string> arguments, outputs;
  int64_t sharedBytes = 0;
  size_t lines = 8;
  bool json = false;
};
constexpr size_t shownValues = 16;

// "X", "X,Y" or "X,Y,Z".
Result<std::array<int64_t, 3>> parseShape(const std::string &flag, const std::string &text) {
  std::array<int64_t, 3> shape = {1, 1, 1};
  std::string_view rest = text;
  for (int64_t &along : shape) {
    std::string_view digits = rest.substr(0, rest.find(','));
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), along);
    if (error != std::errc() || end != digits.data() + digits.size() || along < 1)
      break;
    if (digits.size() == rest.size())
      return shape;
    rest.remove_prefix(digits.size() + 1);
  }
  return invalidArgument(flag + " '" + text + "': want X, X,Y or X,Y,Z, each at least 1");
}

// The entries that the text declares, in order: what follows ".entry", outside comments.
std::vector<std::string> entriesOf(const std::string &ptx) {
  std::string text;
  for (size_t at = 0; at < ptx.size();) {
    bool isLine = ptx.compare(at, 2, "//") == 0, isBlock = ptx.compare(at, 2, "/*") == 0;
    if (!isLine && !isBlock) {
      text += ptx[at++];
      continue;
    }
    size_t end = ptx.find(isLine ? "\n" : "*/", at + 2);
    at = end == std::string::npos ? ptx.size() : end + (isLine ? 0 : 2);
    text += ' ';
  }
  std::vector<std::string> names;
  for (size_t at = text.find(".entry"); at != std::string::npos; at = text.find(".entry", at + 1)) {
    size_t begin = text.find_first_not_of(" \t\r\n", at + 6);
    size_t end = text.find_first_of(" \t\r\n({;", std::min(begin, text.size()));
    if (begin != std::string::npos && end != std::string::npos && begin > at + 6)
      names.push_back(text.substr(begin, end - begin));
  }
  return names;
}

Result<std::string> chooseEntry(const Options &options, const std::string &ptx) {
  std::vector<std::string> names = entriesOf(ptx);
  std::string known;
  for (const std::string &name : names)
    known += (known.empty() ? "" : ", ") + name;
  if (options.kernel.empty() && names.size() == 1)
    return names[0];
  if (std::find(names.begin(), names.end(), options.kernel) != names.end())
    return options.kernel;
  if (names.empty())
    return invalidArgument("'" + options.file + "' has no kernel: there is no .entry in it");
  if (options.kernel.empty())
    return invalidArgument("'" + options.file + "' has several kernels, --kernel chooses: " + known);
  return invalidArgument("'" + options.file + "' has no kernel '" + options.kernel + "': there are " + known);
}

Result<std::string> readText(const std::string &path) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored)) // reading one throws
    return ioError("'" + path + "' is a folder, not a PTX file");
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file && text.empty())
    return ioError("'" + path + "' cannot be read");
  return text;
}

// A scalar of that size for the driver's check of the parameters; the bits travel as they are.
DType carrier(int bytes) { return bytes == 1 ? i8 : bytes == 2 ? f16 : bytes == 4 ? i32 : i64; }

struct Output {
  size_t argument; // counted from 0
  std::string path;
};

Result<std::vector<Output>> parseOutputs(const Options &options, const std::vector<KernelArgument> &arguments) {
  std::vector<Output> outputs;
  for (const std::string &text : options.outputs) {
    std::string digits = text.substr(0, text.find('='));
    Output output{0, digits.size() < text.size() ? text.substr(digits.size() + 1) : ""};
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), output.argument);
    if (error != std::errc() || end != digits.data() + digits.size() || output.argument >= arguments.size() ||
        !arguments[output.argument].isBuffer)
      return invalidArgument("--out '" + text +
                             "': want N or N=FILE, N the place of a buffer among the arguments from 0");
    outputs.push_back(output);
  }
  return outputs;
}

struct Prepared {
  std::vector<Buffer> buffers; // by argument; null for a scalar
  std::vector<int64_t> slots;
};

Result<Prepared> upload(const Device &device, const std::vector<KernelArgument> &arguments) {
  Prepared prepared;
  for (const KernelArgument &arg : arguments) {
    Buffer &buffer = prepared.buffers.emplace_back();
    int64_t &slot = prepared.slots.emplace_back(0);
    if (!arg.isBuffer) {
      std::memcpy(&slot, arg.bytes.data(), arg.bytes.size());
      continue;
    }
    buffer = TESSERA_TRY(device.alloc(u8, {int64_t(arg.bytes.size())}));
    if (arg.isInitialised)
      TESSERA_TRY(buffer.copyFrom(arg.bytes.data(), buffer.bytes()));
    slot = int64_t(reinterpret_cast<uintptr_t>(buffer.data()));
  }
  return prepared;
}

// Between two events, so that a virtual GPU answers its modelled time and a real one a measured time.
Result<double> launchTimed(driver::Driver &driver, driver::Queue queue, driver::Kernel kernel,
                           const driver::Launch &launch) {
  using OwnedEvent = std::unique_ptr<driver::EventObject, std::function<void(driver::Event)>>;
  auto drop = [&](driver::Event event) { driver.destroy(event); };
  OwnedEvent from(TESSERA_TRY(driver.record(queue)), drop);
  TESSERA_TRY(driver.launch(queue, kernel, launch));
  OwnedEvent to(TESSERA_TRY(driver.record(queue)), drop);
  TESSERA_TRY(driver.synchronize(queue));
  return 1000 * TESSERA_TRY(driver.elapsedMs(from.get(), to.get()));
}

Result<Json> collect(const std::vector<Output> &outputs, const std::vector<KernelArgument> &arguments,
                     const Prepared &prepared) {
  Json list = Json::array();
  for (const Output &output : outputs) {
    const KernelArgument &arg = arguments[output.argument];
    std::vector<std::byte> bytes(arg.bytes.size());
    TESSERA_TRY(prepared.buffers[output.argument].copyTo(bytes.data(), int64_t(bytes.size())));
    Json row = {{"arg", output.argument}, {"type", arg.type->name}, {"elements", arg.count()}};
    if (output.path.empty()) {
      row["values"] = valuesOf(*arg.type, bytes, shownValues);
    } else {
      std::ofstream file(output.path, std::ios::binary);
      file.write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
      file.close();
      if (!file)
        return ioError("'" + output.path + "' cannot be written");
      row["file"] = output.path;
    }
    list.push_back(row);
  }
  return list;
}

// What a kernel prints goes to standard error while this lives: standard output is for the one JSON object.
class OutputAside {
public:
  explicit OutputAside(bool isWanted) {
    std::fflush(stdout);
    kept = isWanted ? ::dup(STDOUT_FILENO) : -1;
    if (kept >= 0)
      ::dup2(STDERR_FILENO, STDOUT_FILENO);
  }
  ~OutputAside() {
    std::fflush(stdout);
    if (kept >= 0) {
      ::dup2(kept, STDOUT_FILENO);
      ::close(kept);
    }
  }
  OutputAside(const OutputAside &) = delete;
  OutputAside &operator=(const OutputAside &) = delete;

private:
  int kept = -1;
};

// The virtual GPU reads its options from the environment when it starts.
Status chooseBehaviour(const Options &options) {
  const bool isVirtual = options.device.starts_with("virtual:");
  const struct {
    const char *flag, *variable;
    const std::string &value;
  } choices[] = {{"--trace", nullptr, options.trace},
                 {"--schedule", "TESSERA_VGPU_SCHEDULE", options.schedule},
                 {"--tc-model", "TESSERA_VGPU_TC_MODEL", options.tensorModel}};
  for (const auto &[flag, variable, value] : choices) {
    if (value.empty())
      continue;
    if (!isVirtual)
      return invalidArgument(std::string(flag) + " is for virtual GPUs, and '" + options.device + "' is none");
    if (variable)
      ::setenv(variable, value.c_str(), 1);
  }
  const std::string &schedule = options.schedule;
  const bool isSeeded = schedule.starts_with("random:") && schedule.size() > 7 &&
                        schedule.find_first_not_of("0123456789", 7) == std::string::npos;
  if (!schedule.empty() && !isSeeded)
    return invalidArgument("--schedule '" + schedule + "': want random:SEED, SEED a whole number");
  return {};
}

Status runKernel(const Options &options) {
  std::string ptx = TESSERA_TRY(readText(options.file));
  Artifact artifact{.entry = TESSERA_TRY(chooseEntry(options, ptx)), .bytes = ptx};
  artifact.signature.name = artifact.entry;
  std::array<int64_t, 3> grid = TESSERA_TRY(parseShape("--grid", options.grid));
  artifact.block = {TESSERA_TRY(parseShape("--block", options.block)), options.sharedBytes};
  std::vector<KernelArgument> arguments;
  for (const std::string &text : options.arguments) {
    arguments.push_back(TESSERA_TRY(parseKernelArgument(text)));
    const KernelArgument &arg = arguments.back();
    artifact.signature.args.push_back(
        {"", arg.isBuffer ? ArgKind::inOut : ArgKind::scalar, arg.isBuffer ? u8 : carrier(arg.type->bytes), {}});
  }
  std::vector<Output> outputs = TESSERA_TRY(parseOutputs(options, arguments));
  TESSERA_TRY(chooseBehaviour(options));
  Device device = TESSERA_TRY(Device::open(options.device));
  if (device.target().vendor != Vendor::nvidia)
    return invalidArgument("'" + options.device + "' does not run PTX: want virtual:CHIP or cuda:N");
  driver::Driver &driver = device.impl();
  std::unique_ptr<driver::KernelObject, std::function<void(driver::Kernel)>> kernel(
      TESSERA_TRY(driver.load(artifact)), [&](driver::Kernel loaded) { driver.unload(loaded); });
  Stream stream = TESSERA_TRY(device.stream());
  Prepared prepared = TESSERA_TRY(upload(device, arguments));
  std::array<int64_t, 3> slowestFirst = {grid[2], grid[1], grid[0]};
  Result<double> us = [&] {
    OutputAside aside(options.json);
    return launchTimed(driver, stream.handle(), kernel.get(), {prepared.slots, slowestFirst});
  }();

  Json report = {{"kernel", artifact.entry}, {"device", options.device}};
  Json told = Json::parse(driver.launchReport(), nullptr, false);
  bool isVirtual = told.is_object();
  if (!us && !isVirtual)
    return us.error(); // nothing ran that could be reported
  report["findings"] = isVirtual ? told["findings"] : Json::array();
  report["counters"] = isVirtual ? told["counters"] : Json::object();
  for (const char *part : {"stalls", "model", "remarks", "lines", "source_lines"})
    if (isVirtual)
      report[part] = told[part];
  if (us)
    report[isVirtual ? "modelled_us" : "measured_us"] = *us;
  report["outputs"] = us ? TESSERA_TRY(collect(outputs, arguments, prepared)) : Json::array();
  if (us && !options.trace.empty())
    TESSERA_TRY(
        writeWhole(options.trace, kernelTrace(artifact.entry, options.device, told["timeline"], *us).dump() + "\n"));
  if (options.json)
    printJson(report);
  else
    printKernelReport(report, options.lines);
  return us ? Status() : Status(us.error());
}
} // namespace

void addRunKernel(CLI::App &app, Run &run) {
  CLI::App *command = app.add_subcommand("run-kernel", "Runs one kernel of a PTX file and reports on it.");
  command->footer("Example: tessera run-kernel saxpy.ptx --device virtual:t4 --grid 8 --block 128 --arg u64=1000 "
                  "--arg 'f32[1000]=iota' --arg 'f32[1000]=0' --arg f32=2 --out 2");
  auto options = std::make_shared<Options>();
  command->add_option("file", options->file, "PTX text")->required();
  command->add_option("--device", options->device, "See tessera devices")->capture_default_str();
  command->add_option("--kernel", options->kernel, "The entry, where the file has several");
  command->add_option("--grid", options->grid, "Blocks: X, X,Y or X,Y,Z")->capture_default_str();
  command->add_option("--block", options->block, "Threads of a block: X, X,Y or X,Y,Z")->capture_default_str();
  command->add_option("--shared", options->sharedBytes, "Bytes of dynamic shared memory")->capture_default_str();
  command
      ->add_option("--arg", options->arguments,
                   "A parameter, in order: f32=1.5, f32[64x64]=0, i32[9]=iota, f16[9]=random:SEED, f32[9]=@FILE, "
                   "f32[9] (unwritten)")
      ->allow_extra_args(false);
  command->add_option("--out", options->outputs, "N: shows the first values of argument N (from 0); N=FILE: writes it")
      ->allow_extra_args(false);
  command->add_option("--lines", options->lines, "How many of the costliest lines to list")->capture_default_str();
  command->add_option("--trace", options->trace,
                      "Writes the modelled timeline to this file, for ui.perfetto.dev or chrome://tracing");
  command->add_option("--schedule", options->schedule,
                      "random:SEED shuffles the warps of a virtual GPU, to shake out races");
  command
      ->add_option("--tc-model", options->tensorModel,
                   "How a virtual GPU's tensor cores sum: ieee_fma (default), exact_then_round or truncate")
      ->check(CLI::IsMember({"ieee_fma", "exact_then_round", "truncate"}));
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &run] { run = [options] { return runKernel(*options); }; });
}

} // namespace tessera::cli
