// Timing and dumping of the compiler's stages.
#pragma once
#include "compiler/compile.h"
#include <algorithm>
#include <chrono>

namespace tessera {

// Appends the time since the last call (or construction) to the report, which may be null.
class StageClock {
public:
  explicit StageClock(CompileReport *report) : report(report) {}
  void done(std::string stage) {
    auto now = std::chrono::steady_clock::now();
    if (report)
      report->stages.push_back({std::move(stage), std::chrono::duration<double, std::milli>(now - last).count()});
    last = now;
  }

private:
  CompileReport *report;
  std::chrono::steady_clock::time_point last = std::chrono::steady_clock::now();
};

inline bool wanted(const CompileReport &report, const std::string &stage) {
  return std::ranges::find(report.keep, stage) != report.keep.end();
}

} // namespace tessera
