#include "runtime/vgpu/ptx/refusals.h"
#include <algorithm>

namespace tessera::vgpu::ptx {
namespace {

struct Row {
  std::string_view opcodes, words, why; // one of the opcodes (empty: any), and all of the words
};
constexpr std::string_view textures = "textures are not supported", surfaces = "surfaces are not supported",
                           video = "video instructions are not supported",
                           blackwell = "exists from sm_100 on; the newest chip here is sm_90",
                           sparse = "sparse matrices are not supported",
                           small = "6- and 4-bit floating-point formats exist from sm_100 on",
                           stack = "the stack cannot be grown by a kernel (alloca)",
                           maps = "tensor maps cannot be changed by a kernel";
constexpr Row rows[] = {
    {"tex tld4 txq istypep", "", textures},
    {"suld sust sured suq", "", surfaces},
    {"vadd vsub vabsdiff vmin vmax vshl vshr vmad vset", "", video},
    {"vadd2 vsub2 vavrg2 vabsdiff2 vmin2 vmax2 vset2 vadd4 vsub4 vavrg4 vabsdiff4 vmin4 vmax4 vset4", "", video},
    {"multimem", "", "memory of several GPUs at one address (multimem) is not supported"},
    {"tcgen05 clusterlaunchcontrol", "", blackwell},
    {"st", "bulk", blackwell},
    {"stacksave stackrestore alloca", "", stack},
    {"tensormap", "", maps},
    {"mma", "sp", sparse},
    {"mma", "sp::ordered_metadata", sparse},
    {"wgmma", "sp", sparse},
    {"cp", "im2col", "im2col is not supported"},
    {"cp", "im2col::w", blackwell},
    {"cp", "im2col::w::128", blackwell},
    {"cp", "tile::gather4", blackwell},
    {"cp", "tile::scatter4", blackwell},
    {"cp", "cp_mask", blackwell},
    {"", "cta_group::1", blackwell},
    {"", "cta_group::2", blackwell},
    {"mma", "block_scale", "block-scaled matrices exist from sm_120 on"},
    {"mma", "kind::f8f6f4", "6- and 4-bit matrices exist from sm_120 on"},
    {"cvt", "rs", "stochastic rounding exists from sm_100 on"},
    {"cvt", "e2m1x2", small},
    {"cvt", "e2m3x2", small},
    {"cvt", "e3m2x2", small},
    {"cvt", "ue8m0x2", small},
    {"cvt", "s2f6x2", small},
    {"cvt", "e4m3x4", blackwell},
    {"cvt", "e5m2x4", blackwell},
    {"cvt", "e2m3x4", small},
    {"cvt", "e3m2x4", small},
    {"cvt", "e2m1x4", small},
    {"ldmatrix stmatrix", "b8", "matrices of 8-bit elements move from sm_100 on"},
    {"ldmatrix", "b8x16", "matrices of 6- and 4-bit elements move from sm_100 on"},
};

bool listed(std::string_view list, std::string_view word) {
  for (size_t at = 0; at < list.size();) {
    size_t end = std::min(list.find(' ', at), list.size());
    if (list.substr(at, end - at) == word)
      return true;
    at = end + 1;
  }
  return false;
}
} // namespace

std::string_view refusal(std::span<const std::string_view> words) {
  for (const Row &row : rows)
    if ((row.opcodes.empty() || listed(row.opcodes, words[0])) &&
        (row.words.empty() || std::find(words.begin() + 1, words.end(), row.words) != words.end()))
      return row.why;
  return {};
}

} // namespace tessera::vgpu::ptx
