#include "bench/kernel_timer.h"
#include "compiler/compile.h"
#include <algorithm>
#include <chrono>

namespace tessera::bench {

Result<LoadedKernel> load(const Device &device, const Program &program) {
  Artifact artifact = TESSERA_TRY(compile(program, device.target()));
  // The caller keeps the device as long as its kernels, so the handle need not own it.
  return LoadedKernel::load(std::shared_ptr<driver::Driver>(std::shared_ptr<void>(), &device.impl()), artifact);
}

using Clock = std::chrono::steady_clock;
static double microseconds(Clock::duration d) { return std::chrono::duration<double, std::micro>(d).count(); }

Result<Spread> timeLaunches(const Device &device, const LoadedKernel &kernel, std::span<const Arg> args, int samples) {
  PreparedLaunch prepared = TESSERA_TRY(kernel.prepare(args));
  return timeLaunches(device, [&](const Stream &stream) { return prepared.launch(stream); }, samples);
}

Result<Spread> timeLaunches(const Device &device, const std::function<Status(const Stream &)> &launch, int samples) {
  Stream stream = TESSERA_TRY(device.stream());
  int64_t launches = 1;
  for (;;) { // warm up, and find how many launches a sample needs
    Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < launches; ++i)
      TESSERA_TRY(launch(stream));
    TESSERA_TRY(stream.synchronize());
    if (microseconds(Clock::now() - start) >= 1000)
      break;
    launches *= 2;
  }
  std::vector<double> us;
  for (int sample = 0; sample < samples; ++sample) {
    Clock::time_point start = Clock::now();
    for (int64_t i = 0; i < launches; ++i)
      TESSERA_TRY(launch(stream));
    TESSERA_TRY(stream.synchronize());
    us.push_back(microseconds(Clock::now() - start) / double(launches));
  }
  std::ranges::sort(us);
  return Spread{us[us.size() / 2], us.front(), us.back()};
}

} // namespace tessera::bench
