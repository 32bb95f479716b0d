#include "runtime/vgpu/exec/launch.h"
#include <algorithm>
#include <thread>

namespace tessera::vgpu {
Report runLaunch(Launch &launch) {
  const Program &program = *launch.program;
  uint64_t blocks = launch.blocks();
  uint64_t gang = launch.cooperative ? blocks : uint64_t(launch.cluster[0]) * launch.cluster[1] * launch.cluster[2];
  uint64_t gangs = blocks / gang;
  uint32_t threads =
      launch.options.threads ? launch.options.threads : std::max(1u, std::thread::hardware_concurrency());
  // Where the order of blocks can be observed, one worker runs them in order, so that a run is repeatable.
  if (program.usesAtomics && !launch.options.randomSchedule)
    threads = 1;
  threads = uint32_t(std::min<uint64_t>(threads, gangs));
  const Occupancy occupancy = occupancyOf(program, *launch.chip, launch.threads(), launch.dynamicShared);
  const uint32_t sharedBytes = program.dynamicSharedOffset + launch.dynamicShared;
  launch.pace.prepare(program, *launch.chip, occupancy, blocks);
  std::atomic<uint64_t> next{0};
  std::deque<Worker> workers(threads);
  auto work = [&](Worker &worker, uint64_t seed) {
    worker.launch = &launch;
    worker.counts.assign(program.code.size(), {});
    worker.paces.byOperation.resize(program.code.size());
    worker.traffic.begin(*launch.chip, occupancy, sharedBytes, blocks);
    worker.random = launch.options.seed * 0x9E3779B97F4A7C15ull + seed;
    for (uint64_t g; !launch.stop && (g = next++) < gangs;)
      worker.runGang(g * gang, gang);
  };
  std::vector<std::thread> others;
  for (uint32_t t = 1; t < threads; ++t)
    others.emplace_back([&, t] { work(workers[t], t); });
  work(workers[0], 0);
  for (std::thread &t : others)
    t.join();

  std::vector<Worker *> all;
  for (Worker &w : workers)
    all.push_back(&w);
  return reportOf(launch, all);
}

} // namespace tessera::vgpu
