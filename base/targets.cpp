#include "base/multiprocessors.h"
#include <algorithm>
#include <array>
#include <string>
#include <utility>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace tessera {

// What each generation brought (PTX ISA, "Target ISA Notes" of each instruction).
static constexpr std::string_view
    turing = "f16_mma_k8,s8_mma_k16,ldmatrix",
    ampere = "f16_mma_k8,f16_mma,bf16,cvt_x2,s8_mma_k16,s8_mma,tf32_mma,ldmatrix,cp_async",
    ada = "f16_mma_k8,f16_mma,bf16,cvt_x2,s8_mma_k16,s8_mma,tf32_mma,ldmatrix,cp_async,fp8",
    hopper = "f16_mma_k8,f16_mma,bf16,cvt_x2,s8_mma_k16,s8_mma,tf32_mma,ldmatrix,cp_async,fp8,stmatrix,tma,wgmma,"
             "setmaxnreg,short_fp8_sums";

// A thread moves 16 bytes at most with one instruction and has 255 registers; a tile is spread over a block's threads.
static constexpr Target gpu(std::string_view name, std::string_view arch, std::string_view features, GpuTraits traits) {
  return {name, Vendor::nvidia, arch, features, 16, 255, 8, 1 << 18, "", traits};
}

// CPU rows come first, best first: `findTarget("cpu")` takes the first that the host can run. x86-64-v3/v4 are the
// psABI's levels.
static constexpr std::array<Target, 14> rows = {{
    {"cpu-avx512vnni", Vendor::cpu, "x86-64-v4", "+avx512vnni,+avx512bf16,+avx512vbmi", 64, 32, 8, 1 << 16,
     "avx512f,avx512bw,avx512vl,avx512dq,avx512_vnni,avx512_bf16,avx512vbmi,fma,f16c"},
    {"cpu-avx512", Vendor::cpu, "x86-64-v4", "", 64, 32, 8, 1 << 16, "avx512f,avx512bw,avx512vl,avx512dq,fma,f16c"},
    {"cpu-avxvnni", Vendor::cpu, "x86-64-v3", "+avxvnni", 32, 16, 32, 1 << 16, "avx2,fma,f16c,avx_vnni"},
    {"cpu-avx2", Vendor::cpu, "x86-64-v3", "", 32, 16, 32, 1 << 16, "avx2,fma,f16c"},
    {"cpu-baseline", Vendor::cpu, "x86-64-v2", "", 16, 16, 0, 1 << 16, "sse4_1"},
    gpu("t4", "sm_75", "+ptx65", {64 << 10, 2, turing, 8}),
    gpu("a10g", "sm_86", "+ptx80", {99 << 10, 3, ampere, 8}),
    gpu("a100", "sm_80", "+ptx80", {163 << 10, 3, ampere, 8}),
    gpu("a100-80", "sm_80", "+ptx80", {163 << 10, 3, ampere, 8}),
    gpu("l4", "sm_89", "+ptx84", {99 << 10, 3, ada, 8}),
    gpu("l40s", "sm_89", "+ptx84", {99 << 10, 3, ada, 8}),
    gpu("h100", "sm_90a", "+ptx84", {227 << 10, 4, hopper, 8}),
    gpu("h100-pcie", "sm_90a", "+ptx84", {227 << 10, 4, hopper, 8}),
    gpu("h200", "sm_90a", "+ptx84", {227 << 10, 4, hopper, 8}),
}};

std::span<const Target> targets() { return rows; }

// Beside the rows, since GpuTraits has none: NVIDIA's datasheets; for the A10G 10240 CUDA cores of 128 a
// multiprocessor.
static constexpr std::pair<std::string_view, int> counts[] = {{"t4", 40},       {"a10g", 80},       {"a100", 108},
                                                              {"a100-80", 108}, {"l4", 58},         {"l40s", 142},
                                                              {"h100", 132},    {"h100-pcie", 114}, {"h200", 132}};
static constexpr int countOf(std::string_view name) {
  for (auto [chip, count] : counts)
    if (chip == name)
      return count;
  return 0;
}
static_assert(std::ranges::all_of(rows,
                                  [](const Target &row) {
                                    return (row.vendor == Vendor::cpu) == (countOf(row.name) == 0);
                                  }),
              "every GPU row has its count");

int multiprocessors(const Target &target) { return countOf(target.name); }

static bool hostHas(std::string_view feature) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const std::pair<std::string_view, bool> present[] = {
      {"sse4_1", __builtin_cpu_supports("sse4.1")},
      {"avx2", __builtin_cpu_supports("avx2")},
      {"fma", __builtin_cpu_supports("fma")},
      {"f16c", __builtin_cpu_supports("avx2")}, // every AVX2 CPU has F16C; g++ 12 has no name for it
      {"avx512f", __builtin_cpu_supports("avx512f")},
      {"avx512bw", __builtin_cpu_supports("avx512bw")},
      {"avx512vl", __builtin_cpu_supports("avx512vl")},
      {"avx512dq", __builtin_cpu_supports("avx512dq")},
      {"avx512_vnni", __builtin_cpu_supports("avx512vnni")},
      {"avx512_bf16", __builtin_cpu_supports("avx512bf16")},
      {"avx512vbmi", __builtin_cpu_supports("avx512vbmi")},
  };
  for (auto [name, has] : present)
    if (name == feature)
      return has;
  if (feature == "avx_vnni") { // CPUID.(EAX=7,ECX=1):EAX[4]
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
  }
#endif
  return false;
}

bool Target::has(std::string_view ability) const {
  for (std::string_view rest = gpu.has; !rest.empty();) {
    size_t comma = rest.find(',');
    if (rest.substr(0, comma) == ability)
      return true;
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
  return false;
}

bool hostCanRun(const Target &target) {
  if (target.vendor != Vendor::cpu)
    return false;
  for (std::string_view rest = target.needs; !rest.empty();) {
    size_t comma = rest.find(',');
    if (!hostHas(rest.substr(0, comma)))
      return false;
    rest = comma == std::string_view::npos ? "" : rest.substr(comma + 1);
  }
  return true;
}

Result<const Target *> findTarget(std::string_view name) {
  std::string known = "cpu";
  for (const Target &row : rows) {
    if (row.name == name || (name == "cpu" && hostCanRun(row)))
      return &row;
    known += ", " + std::string(row.name);
  }
  return invalidArgument("unknown target '" + std::string(name) + "': known are " + known);
}

} // namespace tessera
