#include "compiler/target/gpu/explain.h"
#include "compiler/passes/inside.h"
#include "compiler/target/gpu/shape.h"
#include "compiler/tile/access.h"
#include <algorithm>
#include <array>

using namespace mlir;

namespace tessera::gpu {

static std::string bytesText(int64_t bytes) { return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes"); }

std::string widthLimit(Operation *access, const Layout &layout, int64_t vector) {
  int64_t bytes = elementBytes(tile::viewOf(access).getElementType());
  if (vector * bytes >= 16 || layout.registers() * bytes < 16 || vector >= layout.registers())
    return {};
  const auto axes = tile::axesOf(access);
  if (axes.empty() || axes.back().tileAxis < 0)
    return "the tile's last axis is not the tensor's";
  if (axes.back().kind == tile::Subscript::each)
    return "it gathers along the tensor's last axis";
  if (widestAccess(access) <= vector)
    return "rows are known to be aligned to " + bytesText(knownAlignment(access));
  if (contiguous(layout) <= vector)
    return "its layout gives a thread " + bytesText(contiguous(layout) * bytes) + " side by side";
  auto load = dyn_cast<tile::LoadOp>(access);
  auto store = dyn_cast<tile::StoreOp>(access);
  if ((load && load.getMask()) || (store && store.getMask()))
    return "a mask tells neighbours apart";
  return "the range's begin or bound is known to be a multiple of " + std::to_string(vector) + " only";
}

int bankConflicts(int64_t bytes, llvm::function_ref<int64_t(int lane)> offset) {
  const int perGroup = int(std::clamp<int64_t>(128 / std::max<int64_t>(bytes, 4), 1, 32));
  int worst = 1;
  for (int first = 0; first < 32; first += perGroup) {
    SmallVector<int64_t, 128> words;
    for (int lane = first; lane < first + perGroup; ++lane) {
      int64_t begin = offset(lane);
      for (int64_t word = begin / 4; word * 4 < begin + bytes; ++word)
        words.push_back(word);
    }
    llvm::sort(words);
    std::array<int, 32> met = {}; // by bank
    for (auto end = std::unique(words.begin(), words.end()), word = words.begin(); word != end; ++word)
      worst = std::max(worst, ++met[size_t(*word % 32)]);
  }
  return worst;
}

std::string warpsText(const Layout &layout) {
  std::string count = std::to_string(1 << layout.warp.size());
  if (layout.rank() != 2)
    return count + " warps";
  int64_t along[2] = {1, 1};
  for (const Coordinate &basis : layout.warp)
    for (int axis : {0, 1})
      along[axis] *= basis[axis] ? 2 : 1;
  Coordinate shape = layout.shape();
  return std::to_string(along[0]) + " x " + std::to_string(along[1]) + " warps of " +
         std::to_string(shape[0] / along[0]) + " x " + std::to_string(shape[1] / along[1]);
}

} // namespace tessera::gpu
