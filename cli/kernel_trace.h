// The modelled course of a kernel as a trace for chrome://tracing and ui.perfetto.dev.
#pragma once
#include "cli/console.h"

namespace tessera::cli {

// Trace events of one launch, out of `timeline` (of the virtual driver's report) and its modelled microseconds: the
// launch and the kernel; blocks on the SMs, wave by wave; the warps of the first block with what they wait for. Blocks
// beyond the first few thousand are one slice.
Json kernelTrace(const std::string &kernel, const std::string &device, const Json &timeline, double us);

// The whole text or nothing: an existing file is replaced only by a complete one. Error: io, with the path.
Status writeWhole(const std::string &path, const std::string &text);

} // namespace tessera::cli
