// Running a whole grid: blocks over worker threads.
#pragma once
#include "runtime/vgpu/exec/report.h"

namespace tessera::vgpu {

// Executes the launch; findings are in launch.findings, and the grid stops at the first.
Report runLaunch(Launch &launch);

} // namespace tessera::vgpu
