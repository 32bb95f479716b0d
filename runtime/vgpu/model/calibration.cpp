#include "runtime/vgpu/model/calibration.h"

namespace tessera::vgpu {
namespace {
struct Row {
  std::string_view chip;
  Calibration constants;
};

constexpr Row rows[] = {
#include "runtime/vgpu/model/calibration_table.inc"
};

constexpr struct {
  std::string_view chip, from;
} borrowed[] = {{"a10g", "a100"}, {"l40s", "a100"}, {"h200", "h100"}, {"h100-pcie", "h100"}};
} // namespace

CalibratedChip calibrationOf(std::string_view chip) {
  for (const auto &[borrower, from] : borrowed)
    if (borrower == chip)
      chip = from;
  for (const Row &row : rows)
    if (row.chip == chip)
      return {row.constants, row.chip};
  return {};
}

} // namespace tessera::vgpu
