// The "Target ISA Notes" of the PTX ISA as data.
#include "runtime/vgpu/exec/requirements.h"

namespace tessera::vgpu {
namespace {
using ptx::Instruction;

struct Rule {
  std::string_view opcodes, words; // all of the words: modifiers, "to:" the first type, "from:" the second
  uint32_t arch;
};
// The first rule that fits counts.
constexpr Rule rules[] = {
    {"add sub mul fma", "f32x2", 100},
    {"add sub fma", "to:f32 from:f16", 100},
    {"add sub fma", "to:f32 from:bf16", 100},
    {"ld st", "v8", 100},
    {"ld st", "v4 b64", 100},
    {"ld st", "v4 u64", 100},
    {"ld st", "v4 s64", 100},
    {"ld st", "v4 f64", 100},
    {"add sub", "s16x2", 90},
    {"add sub", "u16x2", 90},
    {"add sub mul", "bf16", 90},
    {"add sub mul", "bf16x2", 90},
    {"fma", "bf16", 80},
    {"fma", "bf16x2", 80},
    {"fma", "relu", 80},
    {"fma", "oob", 90},
    {"neg abs", "bf16", 80},
    {"neg abs", "bf16x2", 80},
    {"min max", "xorsign", 86},
    {"min max", "f16", 80},
    {"min max", "f16x2", 80},
    {"min max", "bf16", 80},
    {"min max", "bf16x2", 80},
    {"min max", "NaN", 80},
    {"min max", "u16x2", 90},
    {"min max", "s16x2", 90},
    {"min max", "relu", 90},
    {"ex2 tanh", "bf16", 90},
    {"ex2 tanh", "bf16x2", 90},
    {"ex2 tanh", "f16", 75},
    {"ex2 tanh", "f16x2", 75},
    {"set setp", "bf16", 90},
    {"set setp", "bf16x2", 90},
    {"cvt", "to:f16x2 from:e4m3x2", 89},
    {"cvt", "to:f16x2 from:e5m2x2", 89},
    {"cvt", "to:e4m3x2", 89},
    {"cvt", "to:e5m2x2", 89},
    {"cvt", "to:f32 from:bf16", 80},
    {"cvt", "from:bf16", 90},
    {"cvt", "to:bf16 from:f32", 80},
    {"cvt", "to:bf16", 90},
    {"cvt", "to:bf16x2", 80},
    {"cvt", "to:f16x2", 80},
    {"cvt", "to:tf32 rna", 80},
    {"cvt", "to:tf32 satfinite", 100},
    {"cvt", "to:tf32", 90},
    {"cvt", "relu", 80},
    {"ld st atom red isspacep", "shared::cluster", 90},
    {"ld st atom red", "L2::cache_hint", 80},
    {"atom red", "bf16", 90},
    {"atom red", "bf16x2", 90},
    {"atom red", "b128", 90},
    {"atom red", "v2", 90},
    {"atom red", "v4", 90},
    {"atom red", "v8", 90},
    {"atom red", "f16", 70},
    {"atom red fence", "cluster", 90},
    {"fence.proxy", "async", 90},
    {"fence.proxy", "tensormap::generic", 90},
    {"barrier bar", "cluster", 90},
    {"mma wmma.mma", "and popc", 80},
    {"wmma.load.a wmma.load.b", "bf16", 80},
    {"wmma.load.a wmma.load.b", "tf32", 80},
    {"wmma.load.a wmma.load.b wmma.load.c wmma.store.d", "f64", 80},
    {"wmma.load.a wmma.load.b", "s4", 75},
    {"prefetch", "L2::evict_last", 80},
    {"prefetch", "L2::evict_normal", 80},
    {"prefetch", "tensormap", 90},
    {"ldmatrix stmatrix", "m16n16", 100},
    {"ldmatrix stmatrix", "m16n8", 100},
    {"ldmatrix stmatrix", "m8n16", 100},
    {"redux.sync", "f32", 100},
    {"mbarrier.arrive mbarrier.arrive_drop", "expect_tx", 90},
    {"mbarrier.arrive mbarrier.arrive_drop", "shared::cluster", 90},
    {"mbarrier.arrive mbarrier.arrive_drop mbarrier.test_wait", "cluster", 90},
    {"mbarrier.arrive mbarrier.arrive_drop", "relaxed", 90},
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

bool fits(const Rule &rule, const Instruction &i) {
  if (!listed(rule.opcodes, i.opcode))
    return false;
  for (size_t at = 0; at < rule.words.size();) {
    size_t end = std::min(rule.words.find(' ', at), rule.words.size());
    std::string_view word = rule.words.substr(at, end - at);
    bool to = word.starts_with("to:"), from = word.starts_with("from:");
    if (to || from ? info(i.type(from)).name != word.substr(word.find(':') + 1) : !i.has(word))
      return false;
    at = end + 1;
  }
  return true;
}
} // namespace

uint32_t neededArch(const Instruction &i) {
  for (const Rule &rule : rules)
    if (fits(rule, i))
      return rule.arch;
  return 0;
}

uint32_t neededArch(std::string_view name) {
  bool cluster = name.starts_with("%cluster") || name.starts_with("%ncluster") || name == "%is_explicit_cluster";
  return cluster || name == "%aggr_smem_size" ? 90 : 0;
}

} // namespace tessera::vgpu
