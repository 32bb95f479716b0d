// The measured kernel times that the performance model is fitted to and judged by, and the model's answer for each.
#pragma once
#include "base/result.h"
#include "runtime/vgpu/model/library_kernels.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tessera::vgpu {

struct Measured {
  std::string op, chip; // "linear", "bmm", "ln", "softmax" or an element-wise name; the id of a chip's row
  std::string kernel;
  double batch = 0, rows = 0, inner = 0, cols = 0; // matrix products; other ops: rows x cols
  double gridX = 1, gridY = 1, gridZ = 1;
  uint32_t threads = 32;
  double microseconds = 0;
  bool heldOut = false; // not seen by the fit: decided by a hash of op and shape, the same for every chip

  std::string_view family() const; // "linear", "bmm", "elementwise", "ln" or "softmax"
};

// Every row of the folder's CSV files, in file order. Error: an unreadable file, or a line that is not a row, by
// number.
Result<std::vector<Measured>> readMeasured(const std::filesystem::path &folder);

// Modelled microseconds of one measured launch.
Result<Estimate> estimateMeasured(const Chip &chip, const Calibration &calibration, const Measured &measured);

} // namespace tessera::vgpu
