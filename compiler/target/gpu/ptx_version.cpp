#include "compiler/target/gpu/ptx_version.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <algorithm>
#include <optional>

using namespace mlir;

namespace tessera::gpu {

namespace {
struct Since {
  StringRef name;
  int version;
};

// PTX ISA, "Release Notes": the version that brought each target.
constexpr Since chips[] = {{"sm_75", 63}, {"sm_80", 70}, {"sm_86", 71}, {"sm_89", 78}, {"sm_90", 78}, {"sm_90a", 80}};

// PTX ISA, "PTX ISA Notes" of each instruction. The first row whose name begins an intrinsic's counts. 60 is below
// every chip's own version.
constexpr Since intrinsics[] = {
    {"read.ptx.sreg.tid", 60},
    {"read.ptx.sreg.ctaid", 60},
    {"barrier.cta.", 60},
    {"bar.warp.sync", 60},
    {"shfl.sync.", 60},
    {"idp4a.", 60},
    {"prmt", 60},
    {"ex2.approx.ftz.f32", 60},
    {"lg2.approx.f", 60},
    {"rcp.approx.", 60},
    {"sqrt.approx.", 60},
    {"rsqrt.approx.", 60},
    {"ff2f16x2.rn", 70},
    {"ff2bf16x2.rn", 70},
    {"f2tf32.rna", 70},
    {"ff.to.e", 81}, // cvt to and from 8-bit floats: 7.8 on sm_90, 8.1 on sm_89
    {"e4m3x2.to.f16x2.", 81},
    {"e5m2x2.to.f16x2.", 81},
    {"ldmatrix.sync.aligned.m8n8.", 65},
    {"stmatrix.sync.aligned.m8n8.", 78},
    {"mma.m8n8k16.row.col.", 65},
    {"mma.m16n8k8.row.col.f16", 65},
    {"mma.m16n8k8.row.col.f32", 65},
    {"mma.m16n8k4.row.col.tf32", 70},
    {"mma.m16n8k8.row.col.tf32", 70},
    {"mma.m16n8k8.row.col.bf16", 70},
    {"mma.m16n8k16.row.col.", 70},
    {"mma.m16n8k32.row.col.f32.e", 84},
    {"mma.m16n8k32.row.col.", 70},
    {"cp.async.ca.shared.global", 70},
    {"cp.async.cg.shared.global", 70},
    {"cp.async.commit.group", 70},
    {"cp.async.wait.", 70},
    {"setmaxnreg.", 80},
};

// Inline assembly, by the instruction after its predicate.
constexpr Since assembly[] = {{"ld.global.", 60},
                              {"st.global.", 60},
                              {"mov.", 60},
                              {"add.", 60},
                              {"selp.", 60},
                              {".reg ", 60},
                              {"cp.async.bulk.", 80},
                              {"cp.async.", 70},
                              {"wgmma.", 80},
                              {"setmaxnreg.", 80},
                              {"fence.proxy.async", 80},
                              {"fence.mbarrier_init", 80},
                              {"mbarrier.init", 80},
                              {"mbarrier.arrive", 80},
                              {"mbarrier.try_wait", 80},
                              {"bra ", 60},
                              {"mad.", 60},
                              {"st.shared.", 60}};

template <size_t n> std::optional<int> sinceOf(const Since (&rows)[n], StringRef name) {
  auto found = llvm::find_if(rows, [&](const Since &row) { return name.starts_with(row.name); });
  return found == std::end(rows) ? std::nullopt : std::optional(found->version);
}

// The latest version that any statement of the text needs.
std::optional<int> assemblyVersion(StringRef text) {
  int latest = 0;
  while (!text.empty()) {
    auto [statement, rest] = text.split(';');
    text = rest.trim();
    statement = statement.trim(" \t\n{}");
    if (statement.consume_front("@"))
      statement = statement.split(' ').second.ltrim();
    if (auto [label, after] = statement.split(": "); !after.empty())
      statement = after.ltrim();
    if (statement.empty())
      continue;
    std::optional<int> since = sinceOf(assembly, statement);
    if (!since)
      return std::nullopt;
    latest = std::max(latest, *since);
    if (statement.contains(".s32.s8.u8") || statement.contains(".s32.u8.s8")) // of wgmma, where signs differ
      latest = std::max(latest, 84);
  }
  return latest;
}

// Nothing for an instruction of no table; 0 for what every version has.
std::optional<int> versionOf(Operation &op) {
  if (auto call = dyn_cast<LLVM::CallIntrinsicOp>(op)) {
    StringRef name = call.getIntrin();
    return name.consume_front("llvm.nvvm.") ? sinceOf(intrinsics, name) : 0;
  }
  if (auto text = dyn_cast<LLVM::InlineAsmOp>(op))
    return assemblyVersion(text.getAsmString());
  return 0;
}
} // namespace

std::string ptxFeature(ModuleOp module, const Target &target) {
  const Since *chip = llvm::find_if(
      chips, [&](const Since &row) { return row.name == StringRef(target.arch.data(), target.arch.size()); });
  if (chip == std::end(chips))
    return std::string(target.features);
  int version = chip->version;
  auto walked = module->walk([&](Operation *op) {
    std::optional<int> needs = versionOf(*op);
    version = std::max(version, needs.value_or(0));
    return needs ? WalkResult::advance() : WalkResult::interrupt();
  });
  return walked.wasInterrupted() ? std::string(target.features) : "+ptx" + std::to_string(version);
}

} // namespace tessera::gpu
