#include "runtime/vgpu/model/library_kernels.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>

namespace tessera::vgpu {
namespace {
constexpr double word = 4;    // bytes of an f32
constexpr double swizzle = 8; // tiles side by side in cutlass's raster order

struct Tile {
  double x, y; // along grid x and grid y
  double slices = 1, stages = 2;
};

// The first "<digits>x<digits>" of the name whose numbers are plausible tile edges.
std::optional<Tile> tileOf(std::string_view kernel) {
  for (size_t at = 0; at < kernel.size(); ++at) {
    if (at && (std::isdigit(static_cast<unsigned char>(kernel[at - 1]))))
      continue;
    int first = 0, second = 0;
    const char *end = kernel.data() + kernel.size();
    const auto [afterFirst, error] = std::from_chars(kernel.data() + at, end, first);
    if (error != std::errc() || afterFirst == end || *afterFirst != 'x')
      continue;
    const auto second_ = std::from_chars(afterFirst + 1, end, second);
    if (second_.ec != std::errc() || first < 16 || second < 16 || first > 512 || second > 512)
      continue;
    Tile tile{double(first), double(second)};
    if (kernel.find("sliced1x4") != std::string_view::npos)
      tile.slices = 4;
    if (kernel.find("stage3") != std::string_view::npos)
      tile.stages = 3;
    if (kernel.find("cutlass") != std::string_view::npos)
      tile.stages = 4;
    return tile;
  }
  return std::nullopt;
}

// Share of a re-read that L2 does not serve, when `bytes` lie between two uses.
double missShare(const Chip &chip, const Calibration &calibration, double bytes) {
  const double usable = chip.rates.l2MiB * 1048576 * calibration.l2Usable;
  return bytes > usable ? 1 - usable / bytes : 0;
}

// DRAM reads of one slice of K: tiles are taken row by row (x fastest), `slots` at a time.
double panelReads(const Chip &chip, const Calibration &calibration, const Tile &tile, double gridX, double gridY,
                  double k, double slots) {
  const double xBytes = gridX * tile.x * k * word, yBytes = gridY * tile.y * k * word;
  if (slots >= gridX * gridY)
    return xBytes + yBytes;
  if (slots >= gridX) { // a wave holds whole rows: y is read once, x once a wave unless kept
    const double rounds = gridY / std::floor(slots / gridX);
    return yBytes + xBytes * (1 + (rounds - 1) * missShare(chip, calibration, xBytes));
  }
  // A row takes several waves: x is swept once a row of tiles, y's panel is used by each wave of the row.
  const double sweeps = 1 + (gridY - 1) * missShare(chip, calibration, xBytes);
  const double waveBytes = (slots * tile.x + tile.y) * k * word;
  return xBytes * sweeps + yBytes * (1 + (gridX / slots - 1) * missShare(chip, calibration, waveBytes));
}
} // namespace

Result<Work> gemmWork(const Chip &chip, const Calibration &calibration, std::string_view kernel,
                      const GemmProblem &problem) {
  std::optional<Tile> tile = tileOf(kernel);
  if (!tile)
    return invalidArgument("kernel '" + std::string(kernel) + "' has no tile in its name.");
  Work work;
  double gridX = problem.gridX, gridY = problem.gridY;
  const bool swizzled = kernel.find("cutlass") != std::string_view::npos;
  if (swizzled) { // its grid is folded by a swizzle and padded; padding blocks leave at once
    gridX = std::ceil(problem.cols / tile->x);
    gridY = std::ceil(problem.rows / tile->y);
  }
  const double tiles = gridX * gridY;
  const double splits = std::max(1.0, problem.gridZ / problem.batch), k = std::ceil(problem.inner / splits / 8) * 8;
  work.shape.blocks = tiles * problem.gridZ;
  work.shape.threads = problem.threads;
  const double threads = problem.threads, warps = threads / 32;
  // Accumulators, double-buffered fragments of both operands, and about 40 for addresses and staging.
  const double accumulators = tile->x * tile->y * tile->slices / threads, edge = std::sqrt(accumulators);
  work.shape.registers = uint32_t(std::min(255.0, std::ceil((accumulators + 4 * edge + 28) / 8) * 8));
  work.shape.sharedBytes = uint32_t((tile->x + tile->y) * 8 * word * tile->stages * tile->slices);

  Counts &counts = work.counts;
  const double blocks = work.shape.blocks;
  counts.fma = blocks * tile->x * tile->y * k / 32;
  // A step of k loads one row and one column of a thread's fragment, four words at a time, and the block stages its
  // panels once.
  const double steps = k / tile->slices * warps * blocks;
  const double loads = steps * 2 * edge / 4, staging = blocks * (tile->x + tile->y) * k / 32 * 2 / 4;
  counts.memory = loads + staging;
  counts.other = steps * calibration.stepInstructions;
  counts.sharedWavefronts = loads * 1.5 + staging * 2;
  const double outBytes = problem.rows * problem.cols * problem.batch * word;
  // Split sums go through L2 once more for each slice.
  const double partial = splits > 1 ? outBytes * splits * 2 : 0;
  counts.l2Bytes = blocks * (tile->x + tile->y) * k * word + outBytes + partial;

  const double slots = std::max(1u, occupancy(chip, work.shape).blocksPerSm) * double(chip.sms);
  if (swizzled && gridX > swizzle) { // as if the matrix were cut into strips of eight tiles
    gridY *= std::ceil(gridX / swizzle);
    gridX = swizzle;
  }
  const double groups = problem.batch * splits;
  const double unique = (problem.rows + problem.cols) * problem.inner * problem.batch * word;
  counts.dramBytes = std::max(std::min(unique, counts.l2Bytes),
                              panelReads(chip, calibration, *tile, gridX, gridY, k, slots) * groups) +
                     calibration.l2Drift * counts.l2Bytes + outBytes;
  const double resident = std::min(slots, tiles);
  const double residentX = std::min(resident, gridX), residentY = std::ceil(resident / gridX);
  const double pitch = problem.transposed ? problem.inner : std::max(problem.inner, problem.cols);
  counts.pagesTouchedMiB = (residentX * tile->x + residentY * tile->y) * pitch * word / 1048576;
  const double narrow = std::min(tile->x, tile->y) <= 32 || tile->slices > 1;
  counts.pipeShare = narrow ? calibration.narrowShare : 1;
  return work;
}

Work elementwiseWork(const ElementwiseProblem &problem) {
  Work work;
  work.shape = {problem.blocks, problem.threads, 32, 0};
  const double warpElements = problem.elements / 32;
  work.counts.memory = warpElements * (problem.inputs + 1) / 4;
  work.counts.fma = warpElements * problem.fma;
  work.counts.special = warpElements * problem.special;
  work.counts.other = warpElements / 2;
  work.counts.l2Bytes = work.counts.dramBytes = problem.elements * word * (problem.inputs + 1);
  return work;
}

Work rowsWork(const Chip &chip, const Calibration &calibration, const RowsProblem &problem) {
  Work work;
  work.shape = {problem.blocks, problem.threads, 32, problem.threads > 32 ? 256u : 0u};
  const double bytes = problem.rows * problem.cols * word, warpElements = problem.rows * problem.cols / 32;
  const double resident = std::min(problem.blocks, double(occupancy(chip, work.shape).blocksPerSm) * chip.sms);
  const double between = resident * problem.rows / problem.blocks * problem.cols * word;
  const double rereads = (problem.reads - 1) * missShare(chip, calibration, between);
  work.counts.memory = warpElements * (problem.reads + 1) / 4;
  work.counts.fma = warpElements * problem.reads * 2;
  work.counts.special = warpElements * problem.special;
  work.counts.l2Bytes = bytes * (problem.reads + 1);
  work.counts.dramBytes = bytes * (2 + rereads);
  return work;
}

} // namespace tessera::vgpu
