#include "runtime/vgpu/exec/finding.h"
#include <cinttypes>
#include <cstdio>

namespace tessera::vgpu {

std::string_view nameOf(Fault fault) {
  constexpr std::string_view names[] = {"none",          "out of bounds", "misaligned",         "use after free",
                                        "uninitialised", "race",          "missing wait",       "missing fence",
                                        "barrier",       "deadlock",      "divergence",         "mbarrier",
                                        "trap",          "assertion",     "illegal instruction"};
  return names[size_t(fault)];
}

std::string Finding::text() const {
  char where[160];
  std::snprintf(where, sizeof where, "block (%u,%u,%u) thread (%u,%u,%u)", block[0], block[1], block[2], thread[0],
                thread[1], thread[2]);
  char at[32];
  std::snprintf(at, sizeof at, ", address 0x%" PRIx64, address);
  std::string s = std::string(nameOf(fault)) + ": " + message + "\n  in " + kernel + ", PTX line " +
                  std::to_string(ptxLine) + ": " + instruction + "\n  by " + where + at;
  if (!file.empty())
    s += "\n  at " + file + ":" + std::to_string(line);
  return s;
}

} // namespace tessera::vgpu
