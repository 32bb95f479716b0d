#include "runtime/vgpu/ptx/opcodes.h"
#include <string>
#include <unordered_map>

namespace tessera::vgpu::ptx {
namespace {

struct Group {
  std::string_view name, words;
};
constexpr Group groups[] = {
    {"$round", "rn rz rm rp"},
    {"$compare", "eq ne lt le gt ge lo ls hi hs equ neu ltu leu gtu geu num nan and or xor"},
    {"$space", "global shared local const param param::entry param::func shared::cta shared::cluster"},
    {"$scope", "cta cluster gpu sys"},
    {"$cache",
     "ca cg cs lu cv wb wt L1::evict_normal L1::evict_unchanged L1::evict_first L1::evict_last L1::no_allocate "
     "L2::cache_hint L2::64B L2::128B L2::256B L2::evict_last L2::evict_first L2::evict_normal"},
    {"$order", "weak relaxed acquire release acq_rel sc volatile mmio"},
    {"$vector", "v2 v4 v8"},
    {"$shape",
     "m8n8k4 m8n8k16 m8n8k32 m8n8k128 m16n8k4 m16n8k8 m16n8k16 m16n8k32 m16n8k64 m16n8k128 m16n8k256 m16n16k16 "
     "m32n8k16 m8n32k16 m16n16k8"},
};

constexpr Opcode rows[] = {
    // Integer and floating-point arithmetic (ISA 9.7.1 to 9.7.5)
    {"add", 3, 3, "$round ftz sat cc"},
    {"addc", 3, 3, "cc"},
    {"sub", 3, 3, "$round ftz sat cc"},
    {"subc", 3, 3, "cc"},
    {"mul", 3, 3, "$round ftz sat hi lo wide"},
    {"mul24", 3, 3, "hi lo"},
    {"mad", 4, 4, "$round ftz sat hi lo wide cc"},
    {"madc", 4, 4, "hi lo cc"},
    {"mad24", 4, 4, "hi lo sat"},
    {"fma", 4, 4, "$round ftz sat relu oob"},
    {"sad", 4, 4, ""},
    {"div", 3, 3, "$round ftz approx full"},
    {"rem", 3, 3, ""},
    {"abs", 2, 2, "ftz"},
    {"neg", 2, 2, "ftz"},
    {"min", 3, 4, "ftz NaN xorsign abs relu"},
    {"max", 3, 4, "ftz NaN xorsign abs relu"},
    {"popc", 2, 2, ""},
    {"clz", 2, 2, ""},
    {"bfind", 2, 2, "shiftamt"},
    {"fns", 4, 4, "", 60, 30},
    {"brev", 2, 2, ""},
    {"bfe", 4, 4, ""},
    {"bfi", 5, 5, ""},
    {"szext", 3, 3, "clamp wrap", 76, 70},
    {"bmsk", 3, 3, "clamp wrap", 76, 70},
    {"dp4a", 4, 4, "", 50, 61},
    {"dp2a", 4, 4, "lo hi", 50, 61},
    {"testp", 2, 2, "finite infinite number notanumber normal subnormal"},
    {"copysign", 3, 3, ""},
    {"rcp", 2, 2, "$round approx ftz"},
    {"sqrt", 2, 2, "$round approx ftz"},
    {"rsqrt", 2, 2, "approx ftz"},
    {"sin", 2, 2, "approx ftz"},
    {"cos", 2, 2, "approx ftz"},
    {"lg2", 2, 2, "approx ftz"},
    {"ex2", 2, 2, "approx ftz"},
    {"tanh", 2, 2, "approx", 70, 75},
    // Comparison, selection, logic, shifts (9.7.6 to 9.7.8)
    {"set", 3, 4, "$compare ftz"},
    {"setp", 3, 4, "$compare ftz"},
    {"selp", 4, 4, ""},
    {"slct", 4, 4, "ftz"},
    {"and", 3, 3, ""},
    {"or", 3, 3, ""},
    {"xor", 3, 3, ""},
    {"not", 2, 2, ""},
    {"cnot", 2, 2, ""},
    {"lop3", 5, 6, "or and", 43, 50},
    {"shf", 4, 4, "l r wrap clamp"},
    {"shl", 3, 3, ""},
    {"shr", 3, 3, ""},
    // Movement and conversion (9.7.9)
    {"mov", 2, 2, "$vector"},
    {"prmt", 4, 4, "f4e b4e rc8 ecl ecr rc16"},
    {"shfl.sync", 5, 5, "up down bfly idx", 60, 30},
    {"shfl", 4, 4, "up down bfly idx"},
    {"ld", 2, 3, "$space $order $scope $cache $vector nc unified"},
    {"ldu", 2, 2, "global $vector"},
    {"st", 2, 3, "$space $order $scope $cache $vector"},
    {"st.async", 3, 3, "weak shared::cluster mbarrier::complete_tx::bytes $vector", 81, 90},
    {"prefetch", 1, 1, "global local L1 L2 const param tensormap L2::evict_last L2::evict_normal"},
    {"prefetchu", 1, 1, "L1"},
    {"applypriority", 2, 2, "global L2::evict_normal", 74, 80},
    {"discard", 2, 2, "global L2", 74, 80},
    {"createpolicy.fractional", 1, 2, "L2::evict_last L2::evict_normal L2::evict_first L2::evict_unchanged", 74, 80},
    {"createpolicy.range", 4, 4, "global L2::evict_last L2::evict_normal L2::evict_first L2::evict_unchanged", 74, 80},
    {"createpolicy.cvt", 2, 2, "L2", 74, 80},
    {"isspacep", 2, 2, "$space"},
    {"cvta", 2, 2, "to $space"},
    {"cvt", 2, 4, "rn rz rm rp rna rni rzi rmi rpi ftz sat relu satfinite"},
    {"cvt.pack", 3, 4, "sat", 65, 72},
    {"mapa", 3, 3, "shared::cluster", 78, 90},
    {"getctarank", 2, 2, "shared::cluster", 78, 90},
    // Control flow (9.7.12) and miscellaneous (9.7.19)
    {"bra", 1, 1, "uni"},
    {"brx.idx", 2, 2, "uni", 60, 30},
    {"call", 1, 4, "uni"},
    {"ret", 0, 0, "uni"},
    {"exit", 0, 0, ""},
    {"trap", 0, 0, ""},
    {"brkpt", 0, 0, ""},
    {"nanosleep", 1, 1, "", 63, 70},
    {"pmevent", 1, 1, "mask"},
    {"setmaxnreg", 1, 1, "inc dec sync aligned", 80, 90, true},
    {"griddepcontrol", 0, 0, "launch_dependents wait", 78, 90},
    // Synchronisation (9.7.13)
    {"bar", 1, 4, "cta sync arrive red popc and or aligned"},
    {"bar.warp.sync", 1, 1, "", 60, 30},
    {"barrier", 1, 4, "cta sync arrive red popc and or aligned", 60, 30},
    {"barrier.cluster", 0, 0, "arrive wait release acquire relaxed aligned", 78, 90},
    {"membar", 0, 0, "cta gl sys"},
    {"fence", 0, 0, "sc acq_rel acquire release $scope sync_restrict::shared::cta sync_restrict::shared::cluster", 60,
     70},
    {"fence.mbarrier_init", 0, 0, "release cluster", 80, 90},
    {"fence.proxy", 0, 2,
     "alias async global shared::cta shared::cluster async.global tensormap::generic release acquire $scope "
     "sync_restrict::shared::cta sync_restrict::shared::cluster async::generic",
     75, 70},
    {"atom", 2, 5,
     "$space $scope $cache and or xor cas exch add inc dec min max relaxed acquire release acq_rel noftz $vector"},
    {"red", 2, 3, "$space $scope $cache and or xor add inc dec min max relaxed release acquire acq_rel noftz $vector"},
    {"red.async", 3, 3, "relaxed cluster shared::cluster mbarrier::complete_tx::bytes inc dec min max and or xor add",
     81, 90},
    {"vote.sync", 3, 3, "all any uni ballot", 60, 30},
    {"vote", 2, 2, "all any uni ballot"},
    {"match.any.sync", 3, 3, "", 60, 70},
    {"match.all.sync", 3, 3, "", 60, 70},
    {"activemask", 1, 1, "", 62, 30},
    {"redux.sync", 3, 3, "add min max and or xor abs NaN", 70, 80},
    {"elect.sync", 2, 2, "", 80, 90},
    // Ampere: asynchronous copies and mbarrier (9.7.9.25, 9.7.13.15)
    {"cp.async.ca", 3, 5, "shared shared::cta global L2::cache_hint L2::64B L2::128B L2::256B", 70, 80},
    {"cp.async.cg", 3, 5, "shared shared::cta global L2::cache_hint L2::64B L2::128B L2::256B", 70, 80},
    {"cp.async.commit_group", 0, 0, "", 70, 80},
    {"cp.async.wait_group", 1, 1, "", 70, 80},
    {"cp.async.wait_all", 0, 0, "", 70, 80},
    {"cp.async.mbarrier.arrive", 1, 1, "noinc shared shared::cta", 70, 80},
    {"mbarrier.init", 2, 2, "shared shared::cta", 70, 80},
    {"mbarrier.inval", 1, 1, "shared shared::cta", 70, 80},
    {"mbarrier.arrive", 1, 3, "release relaxed expect_tx noComplete shared shared::cta shared::cluster $scope", 70, 80},
    {"mbarrier.arrive_drop", 1, 3, "release relaxed expect_tx noComplete shared shared::cta shared::cluster $scope", 70,
     80},
    {"mbarrier.expect_tx", 2, 2, "relaxed shared shared::cta shared::cluster $scope", 80, 90},
    {"mbarrier.complete_tx", 2, 2, "relaxed shared shared::cta shared::cluster $scope", 80, 90},
    {"mbarrier.test_wait", 3, 3, "parity acquire relaxed shared shared::cta $scope", 70, 80},
    {"mbarrier.try_wait", 3, 4, "parity acquire relaxed shared shared::cta $scope", 78, 90},
    {"mbarrier.pending_count", 2, 2, "", 70, 80},
    // Matrices (9.7.14)
    {"ldmatrix", 2, 2, "sync aligned m8n8 x1 x2 x4 trans shared shared::cta", 65, 75},
    {"stmatrix", 2, 2, "sync aligned m8n8 x1 x2 x4 trans shared shared::cta", 78, 90},
    {"movmatrix", 2, 2, "sync aligned m8n8 trans", 78, 75},
    {"mma", 4, 4, "sync aligned $shape row col satfinite xor and popc", 64, 70},
    {"wmma.load.a", 2, 3, "sync aligned $shape row col global shared shared::cta", 60, 70},
    {"wmma.load.b", 2, 3, "sync aligned $shape row col global shared shared::cta", 60, 70},
    {"wmma.load.c", 2, 3, "sync aligned $shape row col global shared shared::cta", 60, 70},
    {"wmma.store.d", 2, 3, "sync aligned $shape row col global shared shared::cta", 60, 70},
    {"wmma.mma", 4, 4, "sync aligned $shape row col satfinite rn rz rm rp xor and popc", 60, 70},
    // Hopper: bulk and tensor copies (9.7.9.25), wgmma (9.7.15)
    {"cp.async.bulk", 3, 6,
     "shared::cluster shared::cta global mbarrier::complete_tx::bytes bulk_group multicast::cluster L2::cache_hint "
     "cp_mask",
     80, 90},
    {"cp.async.bulk.prefetch", 2, 3, "L2 global L2::cache_hint", 80, 90},
    {"cp.async.bulk.tensor", 2, 6,
     "1d 2d 3d 4d 5d shared::cluster shared::cta global tile im2col mbarrier::complete_tx::bytes bulk_group "
     "multicast::cluster L2::cache_hint",
     80, 90},
    {"cp.async.bulk.prefetch.tensor", 1, 3, "1d 2d 3d 4d 5d L2 global tile im2col L2::cache_hint", 80, 90},
    {"cp.reduce.async.bulk", 3, 4,
     "shared::cluster shared::cta global mbarrier::complete_tx::bytes bulk_group L2::cache_hint and or xor add inc dec "
     "min max noftz",
     80, 90},
    {"cp.reduce.async.bulk.tensor", 2, 3,
     "1d 2d 3d 4d 5d global shared::cta tile bulk_group L2::cache_hint and or xor add inc dec min max", 80, 90},
    {"cp.async.bulk.commit_group", 0, 0, "", 80, 90},
    {"cp.async.bulk.wait_group", 1, 1, "read", 80, 90},
    {"wgmma.fence", 0, 0, "sync aligned", 80, 90, true},
    {"wgmma.commit_group", 0, 0, "sync aligned", 80, 90, true},
    {"wgmma.wait_group", 1, 1, "sync aligned", 80, 90, true},
    {"wgmma.mma_async", 4, 8, "sync aligned @wgmma satfinite and popc", 80, 90, true},
};

bool listed(std::string_view list, std::string_view word) {
  for (size_t at = 0; at < list.size();) {
    size_t end = list.find(' ', at);
    if (end == list.npos)
      end = list.size();
    std::string_view item = list.substr(at, end - at);
    if (item == word)
      return true;
    if (item == "@wgmma" && word.size() >= 7 && word.starts_with("m64n") && word.find('k') != word.npos)
      return true;
    if (item.starts_with('$'))
      for (const Group &group : groups)
        if (group.name == item && listed(group.words, word))
          return true;
    at = end + 1;
  }
  return false;
}
} // namespace

const Opcode *opcodeNamed(std::string_view name) {
  static const auto *index = [] {
    auto *map = new std::unordered_map<std::string_view, const Opcode *>;
    for (const Opcode &row : rows)
      map->emplace(row.name, &row);
    return map;
  }();
  auto found = index->find(name);
  return found == index->end() ? nullptr : found->second;
}

const Opcode *opcodeOf(std::span<const std::string_view> words, size_t &used) {
  const Opcode *best = nullptr;
  std::string name;
  for (size_t i = 0; i < words.size() && i < 5; ++i) {
    if (i)
      name += '.';
    name += words[i];
    if (const Opcode *row = opcodeNamed(name))
      best = row, used = i + 1;
  }
  return best;
}

bool allows(const Opcode &row, std::string_view modifier) { return listed(row.modifiers, modifier); }

} // namespace tessera::vgpu::ptx
