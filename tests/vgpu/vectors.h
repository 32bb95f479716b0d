// One-kernel modules written in PTX by the tests: each lane gives words and answers words.
#pragma once
#include "tests/vgpu/cuda_api.h"
#include <bit>
#include <cmath>

class PtxVectors : public VirtualGpu {
protected:
  std::string header() const {
    return ".version 8.7\n.target sm_" + std::to_string(arch) + (arch == 90 ? "a" : "") + "\n.address_size 64\n";
  }
  // `body` computes %d0.. from %a0..; a lane's words are in[thread * inputs + k]. Shared memory: 16 KB at `sm`,
  // 1024-aligned; %tid in %t0, %rd4 and %rd5 are two more global pointers.
  std::vector<uint32_t> run(int inputs, int outputs, const std::string &body, const std::vector<uint32_t> &in,
                            unsigned threads = 32, CUdeviceptr first = 0, CUdeviceptr second = 0) {
    std::string text =
        header() +
        ".visible .entry k(.param .u64 pin, .param .u64 pout, .param .u64 pa, .param .u64 pb)\n{\n"
        ".reg .pred %p<8>;\n.reg .b16 %h<8>;\n.reg .f32 %f<8>;\n.reg .b32 %a<160>, %d<160>, %t<8>;\n"
        ".reg .b64 %rd<8>, %q<8>;\n.reg .f64 %e<64>;\n.shared .align 1024 .b8 sm[40960];\n"
        "ld.param.u64 %rd0, [pin];\nld.param.u64 %rd1, [pout];\nld.param.u64 %rd4, [pa];\nld.param.u64 %rd5, "
        "[pb];\nmov.u32 %t0, %tid.x;\nmad.wide.u32 %rd2, %t0, " +
        std::to_string(4 * inputs) + ", %rd0;\nmad.wide.u32 %rd3, %t0, " + std::to_string(4 * outputs) + ", %rd1;\n";
    for (int i = 0; i < inputs; ++i)
      text += "ld.global.u32 %a" + std::to_string(i) + ", [%rd2+" + std::to_string(4 * i) + "];\n";
    text += body;
    for (int i = 0; i < outputs; ++i)
      text += "st.global.u32 [%rd3+" + std::to_string(4 * i) + "], %d" + std::to_string(i) + ";\n";
    text += "ret;\n}\n";
    auto din = upload(in.empty() ? std::vector<uint32_t>(1) : in),
         dout = zeros<uint32_t>(size_t(threads) * size_t(outputs));
    void *module = loadText(text);
    if (!module) {
      ADD_FAILURE() << body;
      return std::vector<uint32_t>(size_t(threads) * size_t(outputs));
    }
    EXPECT_EQ(launch(function(module, "k"), {1}, {threads}, 0, din, dout, first, second), 0) << findings() << body;
    auto out = download<uint32_t>(dout, size_t(threads) * size_t(outputs));
    cuModuleUnload(module);
    cuMemFree_v2(din);
    cuMemFree_v2(dout);
    return out;
  }
  // {%a3,%a4,...}
  static std::string list(const char *name, int from, int count) {
    std::string s = "{";
    for (int i = 0; i < count; ++i)
      s += std::string(i ? "," : "") + name + std::to_string(from + i);
    return s + "}";
  }
};

// Small whole numbers in the formats of matrices, exact in all of them (b1: 0 or 1; unsigned ones are not negative).
namespace elements {
struct Format {
  const char *name;
  int bits;
};
inline constexpr Format f16{"f16", 16}, bf16{"bf16", 16}, tf32{"tf32", 32}, e4m3{"e4m3", 8}, e5m2{"e5m2", 8},
    s8{"s8", 8}, u8{"u8", 8}, s4{"s4", 4}, u4{"u4", 4}, b1{"b1", 1}, f64{"f64", 64};

inline bool is(const Format &f, const char *name) { return std::string(f.name) == name; }
// A value for a random number: -2 to 2, 0 to 3 for unsigned formats, a bit for b1.
inline int value(const Format &f, unsigned random) {
  return is(f, "b1") ? int(random & 1) : f.name[0] == 'u' ? int(random % 4) : int(random % 5) - 2;
}
inline uint64_t encode(const Format &f, int v) {
  if (is(f, "f16"))
    return std::bit_cast<uint16_t>(_Float16(v));
  if (is(f, "bf16"))
    return std::bit_cast<uint32_t>(float(v)) >> 16;
  if (is(f, "tf32"))
    return std::bit_cast<uint32_t>(float(v));
  if (is(f, "f64"))
    return std::bit_cast<uint64_t>(double(v));
  if (f.name[0] == 'e') { // sign, then the exponent of 1 or 2 above an empty mantissa
    uint64_t one = is(f, "e4m3") ? 7 << 3 : 15 << 2, two = is(f, "e4m3") ? 8 << 3 : 16 << 2;
    return v == 0 ? 0 : (v < 0 ? 0x80 : 0) | (std::abs(v) == 1 ? one : two);
  }
  return uint64_t(v) & ((1ull << f.bits) - 1);
}
} // namespace elements
