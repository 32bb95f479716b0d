#include "cli/kernel_report.h"

namespace tessera::cli {
namespace {

std::string text(const Json &value) { return value.is_string() ? value.get<std::string>() : value.dump(); }
std::string percent(const Json &share) { return number(100 * share.get<double>(), 0) + " %"; }
std::string bytes(const Json &value) {
  const double n = value.get<double>();
  return n < 10000 ? number(n, 0) + " B" : bytesText(n);
}

void row(const std::string &label, const std::string &what) {
  print("  " + label + std::string(label.size() < 15 ? 15 - label.size() : 1, ' ') + what + "\n");
}

// "alu 58 %, global 16 %": shares of the issued instructions, the largest first.
std::string pipes(const Json &byPipe) {
  std::vector<std::pair<uint64_t, std::string>> sorted;
  uint64_t total = 0;
  for (const auto &[name, value] : byPipe.items())
    if (const auto n = value.get<uint64_t>())
      sorted.emplace_back(n, name), total += n;
  std::sort(sorted.rbegin(), sorted.rend());
  std::string out;
  for (const auto &[n, name] : sorted)
    out += (out.empty() ? "" : ", ") + name + " " + number(100 * double(n) / double(total), 0) + " %";
  return out;
}

void printCounters(const Json &report) {
  const Json &c = report["counters"], &m = report["model"];
  const auto warps = m["blocks_per_sm"].get<int>() * m["warps_per_block"].get<int>();
  row("launch", text(c["blocks"]) + " blocks of " + text(c["threads_per_block"]) + " threads, " + text(c["registers"]) +
                    " registers (" + text(c["registers_from"]) + "), " + bytes(c["shared_bytes"]) + " shared, " +
                    bytes(c["spill_bytes"]) + " spilled");
  row("occupancy", text(m["blocks_per_sm"]) + " blocks or " + std::to_string(warps) + " warps an SM, " +
                       percent(c["occupancy"]) + " (" + text(c["occupancy_limit"]) + " run out first); " +
                       number(m["waves"], 2) + " waves");
  row("instructions", text(c["warp_instructions"]) + " warp instructions, " + number(c["lanes_active"]) +
                          " of 32 lanes active: " + pipes(c["warp_instructions_by_pipe"]));
  if (c["global_sectors"].get<uint64_t>())
    row("global memory", bytes(c["global_bytes"]) + " asked, " + number(c["global_sectors_per_request"]) +
                             " sectors a request; L2 " + bytes(c["l2_bytes"]) + "; DRAM " +
                             bytes(c["dram_read_bytes"]) + " read, " + bytes(c["dram_written_bytes"]) + " written");
  if (c["shared_wavefronts"].get<uint64_t>())
    row("shared memory", text(c["shared_wavefronts"]) + " wavefronts, " + number(c["bank_conflict_degree"], 2) +
                             " for each that would do");
  for (const auto &[type, flop] : c["tensor_flop"].items())
    row("tensor cores", type + " " + number(flop.get<double>() / 1e9, 3) + " GFLOP");
  for (const auto &[cause, wait] : report["stalls"].items())
    row("waits", cause + ": " + percent(wait["share"]) + " of the warps' time, " + text(wait["waits"]) + " times");
  std::string terms;
  for (const auto &[name, us] : m["terms_us"].items())
    if (us.get<double>() >= 0.005)
      terms += (terms.empty() ? "" : ", ") + name + " " + number(us, 2);
  row("time in us", terms);
}

void printLines(const Json &report, size_t limit) {
  const bool hasSource = !report["source_lines"].empty();
  const Json &lines = report[hasSource ? "source_lines" : "lines"];
  if (limit && !lines.empty())
    print("The costliest lines (us if nothing hid them, and the resource):\n");
  for (size_t i = 0; i < lines.size() && i < limit; ++i) {
    const Json &line = lines[i];
    const std::string us = number(line["us"], 2), bound = text(line["bound"]), why = text(line["why"]);
    print(std::string(us.size() < 9 ? 9 - us.size() : 0, ' ') + us + "  " + bound +
          std::string(bound.size() < 8 ? 8 - bound.size() : 1, ' ') +
          (hasSource ? text(line["source"]) : "PTX line " + text(line["ptx_line"]) + " " + text(line["text"])) + ", " +
          text(line["issues"]) + " issues" + (why.empty() ? "" : ": " + why) + "\n");
  }
}
} // namespace

void printKernelReport(const Json &report, size_t lines) {
  print(text(report["kernel"]) + " on " + text(report["device"]) + ": ");
  if (report.contains("modelled_us"))
    print(number(report["modelled_us"], 2) + " us modelled, bound by " + text(report["model"]["bound"]) + "\n");
  else
    print(report.contains("measured_us") ? number(report["measured_us"], 2) + " us measured\n" : "failed\n");
  if (report.contains("model"))
    printCounters(report);
  if (report.contains("remarks") && !report["remarks"].empty()) {
    print("Why:\n");
    for (const Json &remark : report["remarks"])
      print("  " + text(remark) + "\n");
  }
  if (report.contains("lines"))
    printLines(report, lines);
  for (const Json &output : report["outputs"])
    print("arg " + text(output["arg"]) + " (" + text(output["elements"]) + " x " + text(output["type"]) +
          "): " + (output.contains("values") ? output["values"].dump() : text(output["file"])) + "\n");
}

} // namespace tessera::cli
