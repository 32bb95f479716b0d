// Compiles a traced kernel for a device, and times its launches.
#pragma once
#include "base/result.h"
#include "compiler/program.h"
#include "runtime/device.h"
#include "runtime/module.h"
#include <functional>
#include <span>
#include <vector>

namespace tessera::bench {

struct Spread {
  double median, min, max;
};

Result<LoadedKernel> load(const Device &device, const Program &program);

// Microseconds a launch over `samples` samples, each of as many launches as fill a millisecond, after a warm-up.
Result<Spread> timeLaunches(const Device &device, const LoadedKernel &kernel, std::span<const Arg> args, int samples);
// The same of what `launch` puts in the stream.
Result<Spread> timeLaunches(const Device &device, const std::function<Status(const Stream &)> &launch, int samples);

} // namespace tessera::bench
