// The report of a launch as JSON, for `tessera run-kernel` and other tools.
#include "runtime/vgpu/driver/state.h"
#include "runtime/vgpu/exec/access_report.h"
#include "runtime/vgpu/exec/why.h"
#include <algorithm>
#include <cstdio>

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
  const AccessReport access = accessReport(launch, r);
  std::string widths;
  for (auto [bytes, requests] : access.globalRequests)
    widths += (widths.empty() ? "" : ",") + field(std::to_string(bytes), requests);
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
         field("global_sectors_per_request", perRequest(r.total.sectors, r.globalRequests)) +
         ",\"global_requests_by_width\":{" + widths + "}," + field("l2_bytes", r.total.l2 * 32) + "," +
         field("dram_read_bytes", uint64_t(r.traffic.dramRead)) + "," +
         field("dram_written_bytes", uint64_t(r.traffic.dramWritten)) + "," +
         field("shared_wavefronts", r.total.wavefronts) + "," +
         field("shared_wavefronts_without_conflicts", r.total.idealWavefronts) + "," +
         field("bank_conflict_degree", perRequest(r.total.wavefronts, r.total.idealWavefronts)) + "," +
         field("matrix_load_degree", access.matrixLoadDegree) + ",\"tensor_flop\":{" + tensor + "}}";
}

std::string stallsJson(const Report &r) {
  std::string causes;
  for (size_t i = 0; i < r.paces.waits.size(); ++i) {
    const WaitCount &w = r.paces.waits[i];
    if (w.waits)
      causes += (causes.empty() ? "" : ",") + quoted(nameOf(Wait(i))) + ":{" + field("waits", w.waits) + "," +
                field("clocks", w.time / Pace::unit) + "," +
                field("share", double(w.time) / double(std::max<uint64_t>(r.paces.warpTime, 1))) + "}";
  }
  return "{" + causes + "}";
}

std::string linesJson(const std::vector<LineCost> &lines) {
  std::string out;
  for (size_t i = 0; i < lines.size() && i < shownLines; ++i) {
    const LineCost &line = lines[i];
    const OpCount &c = line.count;
    out += (i ? ",{" : "{") + field("ptx_line", uint64_t(line.ptxLine)) + "," + field("source", line.source) + "," +
           field("text", line.text) + "," + field("us", line.us) + "," + field("bound", line.bound) + "," +
           field("why", line.why) + "," + field("issues", c.issues) + "," +
           field("lanes_active", perRequest(c.lanes, c.issues)) + "," + field("sectors", c.sectors) + "," +
           field("ideal_sectors", c.idealSectors) + "," + field("l2_sectors", c.l2) + "," +
           field("wavefronts", c.wavefronts) + "," + field("ideal_wavefronts", c.idealWavefronts) + "," +
           field("stall_clocks", line.wait.time / Pace::unit) + "}";
  }
  return "[" + out + "]";
}

// The modelled course of the launch: its waves, and the waits of the grid's first block in clocks of the SM.
std::string timelineJson(const Launch &launch, const Report &r) {
  const Estimate &e = r.estimate;
  std::string ends, waits;
  for (uint64_t end : r.paces.firstBlock)
    ends += (ends.empty() ? "" : ",") + std::to_string(end / Pace::unit);
  for (const WaitEvent &w : r.paces.events) {
    const Source &source = launch.program->sources[launch.program->code[w.operation].source];
    waits += (waits.empty() ? "[" : ",[") + std::to_string(w.warp) + "," + quoted(nameOf(w.cause)) + "," +
             std::to_string(w.from / Pace::unit) + "," + std::to_string(w.until / Pace::unit) + "," +
             std::to_string(source.line) + "]";
  }
  return "{" + field("sms", uint64_t(launch.chip->sms)) + "," + field("blocks", launch.blocks()) + "," +
         field("blocks_per_sm", uint64_t(e.occupancy.blocksPerSm)) + "," + field("waves", e.waves) + "," +
         field("launch_us", e.launch) + ",\"first_block\":{\"warp_end_clocks\":[" + ends + "],\"waits\":[" + waits +
         "]}}";
}
} // namespace

std::string reportJson(const Launch &launch, const Report &report) {
  std::string findings;
  for (const Finding &f : launch.findings)
    findings += (findings.empty() ? "" : ",") + findingJson(f);
  std::string said;
  for (const std::string &remark : remarks(launch, report))
    said += (said.empty() ? "" : ",") + quoted(remark);
  return "{" + field("kernel", launch.program->name) + ",\"findings\":[" + findings +
         "],\"counters\":" + countersJson(launch, report) + ",\"stalls\":" + stallsJson(report) +
         ",\"model\":" + explainJson(report.estimate) + ",\"remarks\":[" + said +
         "],\"lines\":" + linesJson(costByPtxLine(launch, report)) +
         ",\"source_lines\":" + linesJson(costBySource(launch, report)) +
         ",\"timeline\":" + timelineJson(launch, report) + "," + field("modelled_us", report.modelledUs) + "}";
}

} // namespace tessera::vgpu::driver
