// The report of `tessera run-kernel` for people: what the launch did, why it takes its time, the costliest lines.
#pragma once
#include "cli/console.h"

namespace tessera::cli {

// `report` is the object that --json prints; at most `lines` of the costliest lines, of the source where the kernel has
// line information and of the PTX otherwise.
void printKernelReport(const Json &report, size_t lines);

} // namespace tessera::cli
