// The report of a launch as JSON, for `tessera run-kernel` and other tools.
#include "runtime/vgpu/driver/state.h"
#include <algorithm>
#include <cstdio>
#include <map>

namespace tessera::vgpu::driver {
namespace {
constexpr size_t shownLines = 64;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    char escaped[8];
    if (c == '"' || c == '\\')
      out += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      std::snprintf(escaped, sizeof escaped, "\\u%04x", unsigned(static_cast<unsigned char>(c)));
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string field(std::string_view name, uint64_t value) { return quoted(name) + ":" + std::to_string(value); }
std::string field(std::string_view name, std::string_view value) { return quoted(name) + ":" + quoted(value); }
std::string field(std::string_view name, double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.6g", value);
  return quoted(name) + ":" + text;
}
std::string triple(const uint32_t (&v)[3]) {
  return "[" + std::to_string(v[0]) + "," + std::to_string(v[1]) + "," + std::to_string(v[2]) + "]";
}

std::string findingJson(const Finding &f) {
  std::string source = f.file.empty() ? "" : f.file + ":" + std::to_string(f.line);
  return "{" + field("kind", nameOf(f.fault)) + "," + field("ptx_line", uint64_t(f.ptxLine)) + "," +
         field("source", source) + ",\"block\":" + triple(f.block) + ",\"thread\":" + triple(f.thread) + "," +
         field("address", f.address) + "," + field("text", f.text()) + "}";
}

double perRequest(uint64_t count, uint64_t requests) { return requests ? double(count) / double(requests) : 0; }

std::string countersJson(const Launch &launch, const Report &r) {
  std::string pipes, tensor;
  for (size_t i = 0; i < size_t(Pipe::none); ++i)
    pipes += (i ? "," : "") + field(nameOf(Pipe(i)), r.pipes[i]);
  for (size_t i = 0; i < r.tensorFlop.size(); ++i)
    if (r.tensorFlop[i] > 0)
      tensor += (tensor.empty() ? "" : ",") + field(nameOf(TensorKind(i)), uint64_t(r.tensorFlop[i]));
  const Resources &resources = launch.program->resources;
  const uint64_t warps = uint64_t(r.estimate.occupancy.blocksPerSm) * r.estimate.occupancy.warpsPerBlock;
  return "{" + field("blocks", launch.blocks()) + "," + field("threads_per_block", uint64_t(launch.threads())) + "," +
         field("blocks_per_sm", uint64_t(r.estimate.occupancy.blocksPerSm)) + "," +
         field("occupancy", double(warps) / launch.chip->limits.warpsPerSm) + "," +
         field("occupancy_limit", nameOf(r.estimate.occupancy.limit)) + "," +
         field("registers", uint64_t(resources.registers)) + "," + field("registers_from", resources.from) + "," +
         field("spill_bytes", uint64_t(resources.spillBytes)) + "," +
         field("shared_bytes", uint64_t(launch.program->dynamicSharedOffset) + launch.dynamicShared) + "," +
         field("warp_instructions", r.warpInstructions) + "," + field("thread_instructions", r.threadInstructions) +
         "," + field("lanes_active", perRequest(r.threadInstructions, r.warpInstructions)) +
         ",\"warp_instructions_by_pipe\":{" + pipes + "}," + field("global_bytes", r.total.bytes) + "," +
         field("global_sectors", r.total.sectors) + "," + field("global_sectors_at_best", r.total.idealSectors) + "," +
         field("global_sectors_per_request", perRequest(r.total.sectors, r.globalRequests)) + "," +
         field("l2_bytes", r.total.l2 * 32) + "," + field("dram_read_bytes", uint64_t(r.traffic.dramRead)) + "," +
         field("dram_written_bytes", uint64_t(r.traffic.dramWritten)) + "," +
         field("shared_wavefronts", r.total.wavefronts) + "," +
         field("shared_wavefronts_without_conflicts", r.total.idealWavefronts) + "," +
         field("bank_conflict_degree", perRequest(r.total.wavefronts, r.total.idealWavefronts)) + ",\"tensor_flop\":{" +
         tensor + "}}";
}

// What each PTX line cost, the most expensive first.
std::string linesJson(const Launch &launch, const Report &r) {
  const Program &program = *launch.program;
  struct Line {
    int32_t loc = -1;
    OpCount count;
  };
  std::map<uint32_t, Line> byLine;
  for (size_t i = 0; i < program.code.size() && i < r.counts.size(); ++i) {
    const Source &s = program.sources[program.code[i].source];
    Line &line = byLine[s.line];
    line.loc = s.loc;
    line.count.add(r.counts[i]);
  }
  std::vector<std::pair<uint32_t, Line>> hot(byLine.begin(), byLine.end());
  auto cost = [](const auto &line) {
    return line.second.count.issues + line.second.count.sectors + line.second.count.wavefronts;
  };
  std::sort(hot.begin(), hot.end(),
            [&](const auto &a, const auto &b) { return cost(a) != cost(b) ? cost(a) > cost(b) : a.first < b.first; });
  std::string out;
  for (size_t i = 0; i < hot.size() && i < shownLines && hot[i].second.count.issues; ++i) {
    const auto &[number, line] = hot[i];
    std::string source;
    if (line.loc >= 0) {
      const auto &at = program.module->locations[size_t(line.loc)];
      auto file = program.module->files.find(at.file);
      source = (file == program.module->files.end() ? "" : file->second) + ":" + std::to_string(at.line);
    }
    out += (i ? ",{" : "{") + field("ptx_line", uint64_t(number)) + "," + field("source", source) + "," +
           field("issues", line.count.issues) + "," + field("lanes", line.count.lanes) + "," +
           field("sectors", line.count.sectors) + "," + field("ideal_sectors", line.count.idealSectors) + "," +
           field("l2_sectors", line.count.l2) + "," + field("wavefronts", line.count.wavefronts) + "," +
           field("ideal_wavefronts", line.count.idealWavefronts) + "}";
  }
  return out;
}
} // namespace

std::string reportJson(const Launch &launch, const Report &report) {
  std::string findings;
  for (const Finding &f : launch.findings)
    findings += (findings.empty() ? "" : ",") + findingJson(f);
  return "{" + field("kernel", launch.program->name) + ",\"findings\":[" + findings +
         "],\"counters\":" + countersJson(launch, report) + ",\"lines\":[" + linesJson(launch, report) + "]," +
         field("modelled_us", report.modelledUs) + "}";
}

} // namespace tessera::vgpu::driver
