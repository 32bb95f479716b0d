#include "cli/kernel_trace.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

namespace tessera::cli {
namespace {
constexpr uint64_t shownBlocks = 4096;
enum Process { launchProcess = 1, smProcess, warpProcess };

struct Trace {
  Json events = Json::array();

  void name(const char *what, int process, uint64_t thread, const std::string &text) {
    events.push_back({{"ph", "M"}, {"name", what}, {"pid", process}, {"tid", thread}, {"args", {{"name", text}}}});
  }
  void slice(int process, uint64_t thread, const std::string &text, std::pair<double, double> fromTo, Json args = {}) {
    Json event = {{"ph", "X"},        {"name", text},       {"pid", process},
                  {"tid", thread},    {"ts", fromTo.first}, {"dur", std::max(0.0, fromTo.second - fromTo.first)},
                  {"cat", "modelled"}};
    if (!args.empty())
      event["args"] = std::move(args);
    events.push_back(std::move(event));
  }
};

struct Waves {
  uint64_t blocks, sms, slots; // slots: of the chip
  double begin, length;        // microseconds of the first wave's start, and of each

  std::pair<double, double> at(uint64_t wave) const {
    return {begin + double(wave) * length, begin + double(wave + 1) * length};
  }
};

// Block b of a wave goes to SM b % sms; blocks of one SM lie in rows below each other.
void addBlocks(Trace &trace, const Waves &w) {
  trace.name("process_name", smProcess, 0, "SMs (blocks by wave)");
  const uint64_t shown = std::min(w.blocks, shownBlocks), rows = std::max<uint64_t>(w.slots / w.sms, 1);
  auto thread = [&](uint64_t inWave) { return inWave % w.sms * rows + inWave / w.sms; };
  for (uint64_t k = 0; k < std::min(shown, w.slots); ++k)
    trace.name("thread_name", smProcess, thread(k),
               "SM " + std::to_string(k % w.sms) + ", slot " + std::to_string(k / w.sms));
  for (uint64_t b = 0; b < shown; ++b)
    trace.slice(smProcess, thread(b % w.slots), "block " + std::to_string(b), w.at(b / w.slots),
                {{"wave", b / w.slots}});
  if (shown < w.blocks)
    trace.slice(smProcess, thread(0), "blocks " + std::to_string(shown) + " to " + std::to_string(w.blocks - 1),
                {w.at((shown - 1) / w.slots).second,
                 std::max(w.at((w.blocks - 1) / w.slots).second, w.at(shown / w.slots).second)});
}

void addWarps(Trace &trace, const Json &firstBlock, std::pair<double, double> block) {
  double clocks = 1;
  for (const Json &end : firstBlock["warp_end_clocks"])
    clocks = std::max(clocks, end.get<double>());
  auto us = [&](const Json &clock) {
    return block.first + clock.get<double>() / clocks * (block.second - block.first);
  };
  trace.name("process_name", warpProcess, 0, "Warps of the first block");
  for (size_t w = 0; w < firstBlock["warp_end_clocks"].size(); ++w) {
    trace.name("thread_name", warpProcess, w, "warp " + std::to_string(w));
    trace.slice(warpProcess, w, "runs", {block.first, us(firstBlock["warp_end_clocks"][w])},
                {{"clocks", firstBlock["warp_end_clocks"][w]}});
  }
  for (const Json &wait : firstBlock["waits"])
    trace.slice(warpProcess, wait[0].get<uint64_t>(), "waits for " + wait[1].get<std::string>(),
                {us(wait[2]), us(wait[3])},
                {{"ptx_line", wait[4]}, {"clocks", wait[3].get<int64_t>() - wait[2].get<int64_t>()}});
}
} // namespace

Json kernelTrace(const std::string &kernel, const std::string &device, const Json &timeline, double us) {
  Trace trace;
  const double launch = timeline["launch_us"];
  trace.name("process_name", launchProcess, 0, kernel + " on " + device + " (modelled)");
  trace.slice(launchProcess, 0, "launch", {0, launch});
  trace.slice(launchProcess, 0, kernel, {launch, us}, {{"blocks", timeline["blocks"]}});
  const uint64_t sms = timeline["sms"], perSm = std::max<uint64_t>(timeline["blocks_per_sm"].get<uint64_t>(), 1);
  const double rounds = std::max(1.0, std::ceil(timeline["waves"].get<double>()));
  const Waves waves{timeline["blocks"], sms, sms * perSm, launch, std::max(0.0, us - launch) / rounds};
  addBlocks(trace, waves);
  addWarps(trace, timeline["first_block"], waves.at(0));
  return {{"traceEvents", std::move(trace.events)},
          {"displayTimeUnit", "ns"},
          {"otherData", {{"kernel", kernel}, {"device", device}, {"times", "modelled, not measured"}}}};
}

Status writeWhole(const std::string &path, const std::string &text) {
  const std::string part = path + ".part" + std::to_string(::getpid());
  std::ofstream file(part, std::ios::binary);
  file << text;
  file.close();
  std::error_code failed;
  if (file)
    std::filesystem::rename(part, path, failed);
  if (file && !failed)
    return {};
  std::filesystem::remove(part, failed);
  return ioError("'" + path + "' cannot be written");
}

} // namespace tessera::cli
