#include "runtime/vgpu/model/estimate.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>

namespace tessera::vgpu {
namespace {
[[gnu::format(printf, 1, 2)]] std::string format(const char *pattern, ...) {
  char text[1024];
  va_list arguments;
  va_start(arguments, pattern);
  const int length = std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return std::string(text, size_t(std::min(length, int(sizeof text) - 1)));
}
} // namespace

std::string_view nameOf(Limit limit) {
  switch (limit) {
  case Limit::threads:
    return "threads";
  case Limit::blocks:
    return "blocks";
  case Limit::registers:
    return "registers";
  case Limit::shared:
    return "shared memory";
  }
  return "";
}

std::string explain(const Estimate &e) {
  const std::string bound(e.bound), limit(nameOf(e.occupancy.limit));
  if (e.occupancy.blocksPerSm == 0)
    return "modelled: the block does not fit an SM (" + limit + ").\n";
  return format("modelled %.2f us, bound by %s\n", e.microseconds, bound.c_str()) +
         format("  occupancy %u blocks an SM (%u warps; %s run out first), %.2f waves, %.0f%% lost to the last wave "
                "and few warps\n",
                e.occupancy.blocksPerSm, e.occupancy.blocksPerSm * e.occupancy.warpsPerBlock, limit.c_str(), e.waves,
                100 * (1 - 1 / e.quantisation)) +
         format("  SM %.2f us (fma %.2f, issue %.2f, integer %.2f, special %.2f, fp64 %.2f, tensor %.2f, shared %.2f "
                "evenly spread)\n",
                e.sm, e.fma, e.issue, e.integer, e.special, e.fp64, e.tensor, e.shared) +
         format("  L2 %.2f us, DRAM %.2f us, latency %.2f us, launch %.2f us\n", e.l2, e.dram, e.latency, e.launch);
}

std::string explainJson(const Estimate &e) {
  return format(
             R"({"microseconds": %.4f, "bound": "%s", "blocks_per_sm": %u, "warps_per_block": %u, "occupancy_limit": "%s", )"
             R"("waves": %.4f, "quantisation": %.4f, )",
             e.microseconds, std::string(e.bound).c_str(), e.occupancy.blocksPerSm, e.occupancy.warpsPerBlock,
             std::string(nameOf(e.occupancy.limit)).c_str(), e.waves, e.quantisation) +
         format(
             R"("terms_us": {"fma": %.4f, "issue": %.4f, "integer": %.4f, "special": %.4f, "fp64": %.4f, "tensor": %.4f, )"
             R"("shared": %.4f, "sm": %.4f, "l2": %.4f, "dram": %.4f, "latency": %.4f, "launch": %.4f}})",
             e.fma, e.issue, e.integer, e.special, e.fp64, e.tensor, e.shared, e.sm, e.l2, e.dram, e.latency, e.launch);
}

} // namespace tessera::vgpu
