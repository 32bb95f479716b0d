// The checked-in calibration of each chip: what scripts/dev/fit_vgpu_model.py fitted, and what is borrowed for want of
// data.
#pragma once
#include "runtime/vgpu/model/estimate.h"

namespace tessera::vgpu {

struct CalibratedChip {
  Calibration constants;
  std::string_view fittedOn; // the chip whose measurements gave the constants; another id means borrowed
};

// Never fails: a chip without measurements borrows (h200 and h100-pcie from h100; a10g and l40s from a100, because l4's
// clock is that of a 72 W card); an unknown one has the defaults of estimate.h and fittedOn "".
CalibratedChip calibrationOf(std::string_view chip);

} // namespace tessera::vgpu
