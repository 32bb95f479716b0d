// Setting up a block: registers, special registers, shared memory; and the round-robin over the warps of a gang.
#include "runtime/vgpu/exec/block.h"
#include "runtime/vgpu/exec/warpgroup.h"
#include "runtime/vgpu/ptx/parser.h"
#include <algorithm>

namespace tessera::vgpu {
namespace {

void fillSpecials(Warp &warp, const Block &block, const Launch &launch) {
  for (const auto &[special, plane] : launch.program->specials) {
    auto *to = warp.plane<uint32_t>(plane);
    for (uint32_t l = 0; l < lanes; ++l) {
      uint32_t t = warp.index * lanes + l;
      uint32_t rank[3], clusters[3], within[3];
      for (int k = 0; k < 3; ++k) {
        clusters[k] = launch.grid[k] / launch.cluster[k];
        rank[k] = block.id[k] / launch.cluster[k];
        within[k] = block.id[k] % launch.cluster[k];
      }
      uint32_t clusterSize = launch.cluster[0] * launch.cluster[1] * launch.cluster[2];
      switch (special) {
      case Special::tidX:
        to[l] = t % launch.block[0];
        break;
      case Special::tidY:
        to[l] = t / launch.block[0] % launch.block[1];
        break;
      case Special::tidZ:
        to[l] = t / launch.block[0] / launch.block[1];
        break;
      case Special::ntidX:
        to[l] = launch.block[0];
        break;
      case Special::ntidY:
        to[l] = launch.block[1];
        break;
      case Special::ntidZ:
        to[l] = launch.block[2];
        break;
      case Special::ctaidX:
        to[l] = block.id[0];
        break;
      case Special::ctaidY:
        to[l] = block.id[1];
        break;
      case Special::ctaidZ:
        to[l] = block.id[2];
        break;
      case Special::nctaidX:
        to[l] = launch.grid[0];
        break;
      case Special::nctaidY:
        to[l] = launch.grid[1];
        break;
      case Special::nctaidZ:
        to[l] = launch.grid[2];
        break;
      case Special::laneid:
        to[l] = l;
        break;
      case Special::warpid:
        to[l] = warp.index;
        break;
      case Special::nwarpid:
        to[l] = launch.chip->limits.warpsPerSm;
        break;
      case Special::smid:
        to[l] = uint32_t(block.linear % launch.chip->sms);
        break;
      case Special::nsmid:
        to[l] = launch.chip->sms;
        break;
      case Special::gridid:
        to[l] = 1;
        break;
      case Special::lanemaskEq:
        to[l] = 1u << l;
        break;
      case Special::lanemaskLt:
        to[l] = (1u << l) - 1;
        break;
      case Special::lanemaskLe:
        to[l] = (1u << l) | ((1u << l) - 1);
        break;
      case Special::lanemaskGe:
        to[l] = ~((1u << l) - 1);
        break;
      case Special::lanemaskGt:
        to[l] = ~((1u << l) | ((1u << l) - 1));
        break;
      case Special::clusteridX:
        to[l] = rank[0];
        break;
      case Special::clusteridY:
        to[l] = rank[1];
        break;
      case Special::clusteridZ:
        to[l] = rank[2];
        break;
      case Special::nclusteridX:
        to[l] = clusters[0];
        break;
      case Special::nclusteridY:
        to[l] = clusters[1];
        break;
      case Special::nclusteridZ:
        to[l] = clusters[2];
        break;
      case Special::clusterCtaidX:
        to[l] = within[0];
        break;
      case Special::clusterCtaidY:
        to[l] = within[1];
        break;
      case Special::clusterCtaidZ:
        to[l] = within[2];
        break;
      case Special::clusterNctaidX:
        to[l] = launch.cluster[0];
        break;
      case Special::clusterNctaidY:
        to[l] = launch.cluster[1];
        break;
      case Special::clusterNctaidZ:
        to[l] = launch.cluster[2];
        break;
      case Special::clusterCtarank:
        to[l] = block.clusterRank;
        break;
      case Special::clusterNctarank:
        to[l] = clusterSize;
        break;
      case Special::isExplicitCluster:
        to[l] = clusterSize > 1;
        break;
      case Special::dynamicSmem:
        to[l] = launch.dynamicShared;
        break;
      case Special::totalSmem:
        to[l] = uint32_t(block.shared.size());
        break;
      case Special::envreg1:
        to[l] = uint32_t(launch.gridWorkspace >> 32);
        break;
      case Special::envreg2:
        to[l] = uint32_t(launch.gridWorkspace);
        break;
      case Special::zero:
      case Special::count:
        to[l] = 0;
        break;
      }
    }
  }
}
} // namespace

void Block::start(Worker &on, uint64_t index, uint32_t begin) {
  worker = &on;
  launch = on.launch;
  const Program &program = *launch->program;
  linear = index;
  on.traffic.beginBlock(index);
  time = {};
  clusterLatest = clusterReady = 0;
  // Blocks of a cluster are neighbours in the grid; gangs number them cluster by cluster.
  const uint32_t *grid = launch->grid, *cl = launch->cluster;
  uint64_t clusterSize = uint64_t(cl[0]) * cl[1] * cl[2];
  uint64_t which = index / clusterSize, within = index % clusterSize;
  uint64_t across[2] = {grid[0] / cl[0], grid[1] / cl[1]};
  clusterRank = uint32_t(within);
  id[0] = uint32_t(which % across[0] * cl[0] + within % cl[0]);
  id[1] = uint32_t(which / across[0] % across[1] * cl[1] + within / cl[0] % cl[1]);
  id[2] = uint32_t(which / across[0] / across[1] * cl[2] + within / cl[0] / cl[1]);
  uint32_t threads = launch->threads(), count = (threads + lanes - 1) / lanes;
  uint64_t bytes = uint64_t(program.dynamicSharedOffset) + launch->dynamicShared;
  bytes = std::max<uint64_t>(bytes, program.sharedBytes);
  shared.assign(bytes, 0xCD); // not zero: a kernel must not rely on what it did not write
  if (launch->options.checkShared)
    shadow.prepare(bytes, count, begin);
  liveThreads = threads;
  mbarriers.clear();
  agents = uint32_t(clusterSize) * (count + 1);
  engineAgent = uint32_t(clusterSize) * count + clusterRank;
  engineNow = begin;
  shadow.firstAgent = clusterRank * count;
  shadow.engineAgent = engineAgent;
  proxyFences.assign(agents, 0);
  initFences.assign(agents, 0);
  remoteUses.assign(agents, {});
  exitClock.clear();
  clusterClock.clear();
  clusterCompleted.clear();
  clusterInits.clear();
  asyncReaders.clear();
  asyncReads = 0;
  warpgroups.assign((count + 3) / 4, {});
  atomicClocks.clear();
  const uint32_t registersAtStart = launchRegisters(program);
  freeRegisters = registersAtStart ? 0 : -1;
  clusterArrived = 0;
  clusterPhase = 0;
  for (Barrier &b : barriers)
    b = {};
  warps.resize(count);
  for (uint32_t w = 0; w < count; ++w) {
    Warp &warp = warps[w];
    warp.block = this;
    warp.worker = &on;
    warp.launch = launch;
    warp.index = w;
    warp.registerStore.assign(program.registerBytes + 64, 0);
    warp.predicateStore.assign(program.predicates, 0);
    warp.registers =
        reinterpret_cast<uint8_t *>((reinterpret_cast<uintptr_t>(warp.registerStore.data()) + 63) & ~uintptr_t(63));
    warp.constants = reinterpret_cast<const uint8_t *>(program.constants.data());
    warp.predicates = warp.predicateStore.data();
    warp.local.assign(uint64_t(program.localBytes) * lanes, 0);
    uint32_t here = std::min(lanes, threads - w * lanes);
    warp.lanesAtStart = here == lanes ? allLanes : (1u << here) - 1;
    warp.exited = 0;
    warp.instructions = 0;
    warp.time = {};
    warp.sincePoll = ~0u / 2;
    warp.joins.clear();
    warp.fragments.assign(1, Fragment{});
    warp.fragments[0].mask = warp.lanesAtStart;
    warp.fragments[0].frame = warp.fragments[0].top = program.stackBase;
    warp.current = 0;
    // Everyone has seen time `begin`: what is stamped with it is ordered before all that warps do.
    warp.clock.lanes.clear();
    warp.clock.times.assign(agents, begin);
    warp.viewer = {};
    warp.viewer.agent = clusterRank * count + w;
    warp.viewer.column = w;
    warp.viewer.now = begin + 1;
    warp.viewer.clock = warp.clock.times.data();
    warp.viewer.known = &warp.clock;
    for (VectorClock *clocks : {&warp.proxyView, &warp.fenceClock, &warp.pendingView})
      clocks->clear();
    warp.laneClock.clear();
    warp.initView.clear();
    warp.copies.clear();
    warp.bulkReads.clear();
    warp.wgmmaIssued = warp.wgmmaDone = warp.wgmmaFenced = 0;
    warp.wgmmaGroups.clear();
    warp.wgmmaRegisters.assign(program.guardedRegisters, {});
    warp.touches = 1;
    warp.wgmmaFence = 0;
    warp.heldRegisters = registersAtStart;
    warp.poll = {};
    warp.clusterSeen = 0;
    warp.clusterWaited = false;
    std::fill(warp.openGroup, warp.openGroup + lanes, 0);
    std::fill(warp.bulkOpen, warp.bulkOpen + lanes, 0);
    fillSpecials(warp, *this, *launch);
  }
}

void Worker::report(Warp &warp, Fault fault, uint32_t lane, uint64_t address, std::string message) {
  const Program &program = *launch->program;
  Finding f;
  f.fault = fault;
  f.kernel = program.name;
  const Op &op = program.code[warp.pc ? warp.pc - 1 : 0];
  const Source &source = program.sources[op.source];
  f.ptxLine = source.line;
  if (source.function >= 0 && source.instruction >= 0) {
    const ptx::Function &function = program.module->functions[size_t(source.function)];
    f.instruction = ptx::print(*program.module, function, function.body[size_t(source.instruction)]);
  }
  if (source.loc >= 0) {
    const ptx::Location &loc = program.module->locations[size_t(source.loc)];
    f.line = loc.line;
    if (auto file = program.module->files.find(loc.file); file != program.module->files.end())
      f.file = file->second;
  }
  uint32_t t = warp.index * lanes + lane;
  for (int k = 0; k < 3; ++k)
    f.block[k] = warp.block->id[k];
  f.thread[0] = t % launch->block[0];
  f.thread[1] = t / launch->block[0] % launch->block[1];
  f.thread[2] = t / launch->block[0] / launch->block[1];
  f.address = address;
  f.message = std::move(message);
  std::lock_guard hold(launch->lock);
  if (launch->findings.size() < 16)
    launch->findings.push_back(std::move(f));
  launch->stop = true;
}

void Worker::runGang(uint64_t first, uint64_t count) {
  while (blocks.size() < count)
    blocks.emplace_back();
  uint32_t clusterSize = launch->cluster[0] * launch->cluster[1] * launch->cluster[2];
  for (uint64_t i = 0; i < blocks.size(); ++i)
    blocks[i].started = i < count;
  if (nextClock > Shadow::lastTime / 2) {
    for (Block &b : blocks)
      b.shadow = {};
    nextClock = 1;
  }
  uint32_t start = nextClock;
  nextClock += 2;
  for (uint64_t i = 0; i < count; ++i) {
    blocks[i].start(*this, first + i, start);
    blocks[i].cluster.clear();
    for (uint64_t k = i / clusterSize * clusterSize; k < (i / clusterSize + 1) * clusterSize; ++k)
      blocks[i].cluster.push_back(&blocks[k]);
    for (Warp &w : blocks[i].warps)
      w.viewer.fences = blocks[i].cluster[0]->proxyFences.data();
  }
  std::vector<Warp *> order;
  for (uint64_t i = 0; i < count; ++i)
    for (Warp &w : blocks[i].warps)
      order.push_back(&w);
  const Options &options = launch->options;
  uint64_t idlePasses = 0, begin = warpInstructions;
  while (!order.empty()) {
    bool ran = false, progress = false;
    if (options.randomSchedule)
      for (size_t i = order.size(); i > 1; --i) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        std::swap(order[i - 1], order[(random >> 33) % i]);
      }
    for (Warp *warp : order) {
      if (warp->finished() || !warp->pick())
        continue;
      ran = true;
      uint64_t slice = options.slice;
      if (options.randomSchedule) {
        random = random * 6364136223846793005ull + 1442695040888963407ull;
        slice = 1 + (random >> 33) % 200;
      }
      runWarp(*warp, uint32_t(slice));
      if (launch->stop)
        return;
      progress |= warp->sincePoll > 64; // a loop around a poll is shorter
      warp->save();
    }
    std::erase_if(order, [](Warp *w) { return w->finished(); });
    if (order.empty())
      break;
    if (!deliveries.empty())
      deliver(false);
    idlePasses = progress ? 0 : idlePasses + 1;
    if ((!ran && deliveries.empty()) || idlePasses > 20000 || warpInstructions - begin > options.limit) {
      reportDeadlock();
      return;
    }
  }
  deliveries.clear();
  for (uint64_t i = 0; i < count; ++i) {
    blocks[i].started = false;
    paces.ended(blocks[i]);
  }
  ++nextClock;
}

} // namespace tessera::vgpu
