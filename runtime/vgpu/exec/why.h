// Why a launch takes the time that it does: what each line cost, and sentences about the whole kernel.
#pragma once
#include "runtime/vgpu/exec/report.h"

namespace tessera::vgpu {

// A line of the PTX text, or of the source that .loc names.
struct LineCost {
  uint32_t ptxLine = 0; // the first one, of a source line
  std::string source;   // "file:line", empty without .loc
  std::string text;     // of its first instruction
  OpCount count;
  WaitCount wait;
  uint64_t globalRequests = 0, sharedRequests = 0;
  double us = 0;          // of the resource that the line uses most, as if nothing hid it
  std::string_view bound; // that resource
  std::string why;        // what is remarkable, in words; empty where nothing is
};

// Lines that were executed, the costliest first.
std::vector<LineCost> costByPtxLine(const Launch &launch, const Report &report);
std::vector<LineCost> costBySource(const Launch &launch, const Report &report); // only lines with .loc

// What limits the kernel and what would help, the most important first. Empty when nothing was executed.
std::vector<std::string> remarks(const Launch &launch, const Report &report);

} // namespace tessera::vgpu
