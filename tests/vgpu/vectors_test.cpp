// Single instructions against the formulas of the ISA: where each element of an mma fragment lies, what shuffles,
// conversions, bit fields and permutes answer. Kernels are written here, in PTX.
#include "tests/vgpu/cuda_api.h"
#include <bit>
#include <cmath>
#include <random>

namespace {

class Vectors : public VirtualGpu {
protected:
  std::string header() const {
    return ".version 8.4\n.target sm_" + std::to_string(arch) + (arch == 90 ? "a" : "") + "\n.address_size 64\n";
  }
  // Each lane gives `inputs` words and answers `outputs`; `body` computes %d0.. from %a0...
  std::vector<uint32_t> run(int inputs, int outputs, const std::string &body, const std::vector<uint32_t> &in) {
    std::string text = header() +
                       ".visible .entry k(.param .u64 pin, .param .u64 pout)\n{\n.reg .pred %p<8>;\n.reg .b16 "
                       "%h<8>;\n.reg .f32 %f<8>;\n"
                       ".reg .b32 %a<32>, %d<32>, %t<8>;\n.reg .b64 %rd<8>, %q<8>;\n.reg .f64 %e<8>;\n"
                       "ld.param.u64 %rd0, [pin];\nld.param.u64 %rd1, [pout];\nmov.u32 %t0, %laneid;\n"
                       "mad.wide.u32 %rd2, %t0, " +
                       std::to_string(4 * inputs) + ", %rd0;\nmad.wide.u32 %rd3, %t0, " + std::to_string(4 * outputs) +
                       ", %rd1;\n";
    for (int i = 0; i < inputs; ++i)
      text += "ld.global.u32 %a" + std::to_string(i) + ", [%rd2+" + std::to_string(4 * i) + "];\n";
    text += body;
    for (int i = 0; i < outputs; ++i)
      text += "st.global.u32 [%rd3+" + std::to_string(4 * i) + "], %d" + std::to_string(i) + ";\n";
    text += "ret;\n}\n";
    auto din = upload(in), dout = zeros<uint32_t>(size_t(32 * outputs));
    void *module = loadText(text);
    EXPECT_EQ(launch(function(module, "k"), {1}, {32}, 0, din, dout), 0) << findings();
    return download<uint32_t>(dout, size_t(32 * outputs));
  }
};

// One mma form: the element of register r, part i, lane l as the ISA's figures give it.
struct Form {
  const char *text; // shape and types
  int m, k, bits;   // bits of an element of A and B
  char type;        // h f16, b bf16, t tf32, q e4m3, s s8
  int arch;
};
constexpr Form forms[] = {
    {"m16n8k8.row.col.f32.f16.f16.f32", 16, 8, 16, 'h', 75},
    {"m16n8k16.row.col.f32.f16.f16.f32", 16, 16, 16, 'h', 80},
    {"m16n8k8.row.col.f32.bf16.bf16.f32", 16, 8, 16, 'b', 80},
    {"m16n8k16.row.col.f32.bf16.bf16.f32", 16, 16, 16, 'b', 80},
    {"m16n8k4.row.col.f32.tf32.tf32.f32", 16, 4, 32, 't', 80},
    {"m16n8k8.row.col.f32.tf32.tf32.f32", 16, 8, 32, 't', 80},
    {"m8n8k16.row.col.s32.s8.s8.s32", 8, 16, 8, 's', 75},
    {"m16n8k16.row.col.s32.s8.s8.s32", 16, 16, 8, 's', 80},
    {"m16n8k32.row.col.s32.s8.s8.s32", 16, 32, 8, 's', 80},
    {"m16n8k32.row.col.f32.e4m3.e4m3.f32", 16, 32, 8, 'q', 89},
};

uint32_t encode(int v, char type) {
  float f = float(v);
  switch (type) {
  case 'h':
    return std::bit_cast<uint16_t>(_Float16(f));
  case 'b':
    return std::bit_cast<uint32_t>(f) >> 16;
  case 't':
    return std::bit_cast<uint32_t>(f);
  case 'q': { // e4m3 of -2..2
    uint32_t sign = v < 0 ? 0x80 : 0;
    return std::abs(v) == 0 ? 0 : sign | (std::abs(v) == 1 ? 0x38 : 0x40);
  }
  default:
    return uint8_t(v);
  }
}

TEST_F(Vectors, MmaFragments) {
  std::mt19937 generator(9);
  for (const Form &form : forms) {
    if (arch < form.arch)
      continue;
    int each = 32 / form.bits, inA = form.m * form.k / 32 / each, inB = 8 * form.k / 32 / each, acc = form.m / 4;
    std::vector<int> A(size_t(form.m * form.k)), B(size_t(form.k * 8)), C(size_t(form.m * 8));
    for (auto *v : {&A, &B, &C})
      for (int &x : *v)
        x = int(generator() % 5) - 2;
    std::vector<uint32_t> in(size_t(32 * (inA + inB + acc)));
    for (int l = 0; l < 32; ++l) {
      int g = l / 4, t = l % 4;
      uint32_t *words = &in[size_t(l * (inA + inB + acc))];
      for (int r = 0; r < inA; ++r)
        for (int i = 0; i < each; ++i) {
          // Figures of 9.7.14.5.x: rows g and g + 8 in turn (16-row shapes), then the second half of the columns.
          int row = form.m == 8 ? g : g + 8 * (r % 2);
          int col = each * t + i + (form.m == 8 ? r : r / 2) * 4 * each;
          words[r] |= encode(A[size_t(row * form.k + col)], form.type) << (i * form.bits % 32);
        }
      for (int r = 0; r < inB; ++r)
        for (int i = 0; i < each; ++i)
          words[inA + r] |= encode(B[size_t((each * t + i + r * 4 * each) * 8 + g)], form.type) << (i * form.bits % 32);
      for (int r = 0; r < acc; ++r) {
        int v = C[size_t((g + 8 * (r / 2)) * 8 + 2 * t + r % 2)];
        words[inA + inB + r] = form.type == 's' ? uint32_t(v) : std::bit_cast<uint32_t>(float(v));
      }
    }
    auto list = [](const char *name, int from, int count) {
      std::string s = "{";
      for (int i = 0; i < count; ++i)
        s += std::string(i ? "," : "") + name + std::to_string(from + i);
      return s + "}";
    };
    auto got = run(inA + inB + acc, acc,
                   std::string("mma.sync.aligned.") + form.text + " " + list("%d", 0, acc) + ", " + list("%a", 0, inA) +
                       ", " + list("%a", inA, inB) + ", " + list("%a", inA + inB, acc) + ";\n",
                   in);
    for (int l = 0; l < 32; ++l)
      for (int r = 0; r < acc; ++r) {
        int row = l / 4 + 8 * (r / 2), col = 2 * (l % 4) + r % 2, want = C[size_t(row * 8 + col)];
        for (int k = 0; k < form.k; ++k)
          want += A[size_t(row * form.k + k)] * B[size_t(k * 8 + col)];
        uint32_t bits = got[size_t(l * acc + r)];
        ASSERT_EQ(form.type == 's' ? double(int32_t(bits)) : double(std::bit_cast<float>(bits)), want)
            << form.text << " lane " << l << " register " << r;
      }
  }
}

TEST_F(Vectors, Shuffles) {
  std::vector<uint32_t> in(32);
  for (uint32_t l = 0; l < 32; ++l)
    in[l] = 100 + l;
  auto shuffle = [&](const char *mode, int b, int c) {
    return run(1, 2,
               std::string("shfl.sync.") + mode + ".b32 %d0|%p1, %a0, " + std::to_string(b) + ", " + std::to_string(c) +
                   ", -1;\nselp.u32 %d1, 1, 0, %p1;\n",
               in);
  };
  auto expect = [&](const std::vector<uint32_t> &got, auto source) {
    for (int l = 0; l < 32; ++l) {
      int from = source(l);
      ASSERT_EQ(got[size_t(2 * l)], uint32_t(100 + (from < 0 ? l : from))) << l;
      ASSERT_EQ(got[size_t(2 * l + 1)], from < 0 ? 0u : 1u) << l;
    }
  };
  // c: bits 0 to 4 clamp, bits 8 to 12 the segment mask; segments of 8 lanes here.
  expect(shuffle("up", 3, 0), [](int l) { return l >= 3 ? l - 3 : -1; });
  expect(shuffle("down", 5, 31), [](int l) { return l + 5 < 32 ? l + 5 : -1; });
  expect(shuffle("bfly", 9, 31), [](int l) { return l ^ 9; });
  expect(shuffle("idx", 7, 31), [](int) { return 7; });
  expect(shuffle("up", 3, 24 << 8), [](int l) { return l % 8 >= 3 ? l - 3 : -1; });
  expect(shuffle("down", 2, 24 << 8 | 31), [](int l) { return l % 8 + 2 < 8 ? l + 2 : -1; });
  expect(shuffle("idx", 5, 24 << 8 | 31), [](int l) { return l / 8 * 8 + 5; });
}

TEST_F(Vectors, Conversions) {
  std::vector<float> values{0,          -0.0f, 0.5f,  1.5f,     2.5f,      -0.5f,  -1.5f,  -2.5f,
                            3.7f,       -3.7f, 1e10f, -1e10f,   300,       -300,   65504,  65520,
                            1e-8f,      6e-8f, 70000, INFINITY, -INFINITY, NAN,    0.1f,   1.0009766f,
                            1.0014648f, 448,   449,   500,      0.001f,    255.5f, 127.5f, 1e-40f};
  std::vector<uint32_t> in;
  for (float v : values)
    in.push_back(std::bit_cast<uint32_t>(v));
  auto got = run(1, 8,
                 "mov.b32 %f0, %a0;\ncvt.rni.s32.f32 %d0, %f0;\ncvt.rzi.u8.f32 %d1, %f0;\ncvt.rmi.s32.f32 %d2, "
                 "%f0;\ncvt.rpi.s32.f32 %d3, %f0;\n"
                 "cvt.rn.f16.f32 %h0, %f0;\ncvt.u32.u16 %d4, %h0;\ncvt.rz.f16.f32 %h1, %f0;\ncvt.u32.u16 %d5, %h1;\n"
                 "cvt.sat.f32.f32 %f1, %f0;\nmov.b32 %d6, %f1;\ncvt.rzi.s8.f32 %d7, %f0;\n",
                 in);
  auto clamp = [](double v, double low, double high) { return std::isnan(v) ? 0 : std::min(std::max(v, low), high); };
  for (size_t l = 0; l < 32; ++l) {
    float v = values[l];
    const uint32_t *d = &got[8 * l];
    double s32 = -2147483648.0, top = 2147483647.0;
    EXPECT_EQ(double(int32_t(d[0])), clamp(std::nearbyint(double(v)), s32, top)) << v;
    EXPECT_EQ(double(d[1]), clamp(std::trunc(double(v)), 0, 255)) << v;
    EXPECT_EQ(double(int32_t(d[2])), clamp(std::floor(double(v)), s32, top)) << v;
    EXPECT_EQ(double(int32_t(d[3])), clamp(std::ceil(double(v)), s32, top)) << v;
    EXPECT_EQ(d[4], std::isnan(v) ? 0x7fff : std::bit_cast<uint16_t>(_Float16(v))) << v;
    float back = float(std::bit_cast<_Float16>(uint16_t(d[5])));
    if (!std::isnan(v)) {
      EXPECT_TRUE(std::isinf(v) ? std::isinf(back) : std::fabs(back) <= std::fabs(v) && std::isfinite(back))
          << v << " to " << back;
    }
    float saturated = std::bit_cast<float>(d[6]);
    EXPECT_EQ(saturated, float(clamp(v, 0, 1))) << v;
    EXPECT_EQ(double(int32_t(d[7])), clamp(std::trunc(double(v)), -128, 127)) << v;
  }
}

TEST_F(Vectors, BitFieldsAndPermutes) {
  std::mt19937 generator(2);
  std::vector<uint32_t> in(32 * 4);
  for (uint32_t &x : in)
    x = generator();
  for (int l = 0; l < 32; ++l) {
    in[size_t(4 * l + 2)] = uint32_t(generator() % 40);
    in[size_t(4 * l + 3)] = uint32_t(generator() % 40);
  }
  auto got = run(4, 6,
                 "bfe.u32 %d0, %a0, %a2, %a3;\nbfe.s32 %d1, %a0, %a2, %a3;\nbfi.b32 %d2, %a0, %a1, %a2, %a3;\nprmt.b32 "
                 "%d3, %a0, %a1, %a2;\n"
                 "lop3.b32 %d4, %a0, %a1, %a2, 0x96;\nshf.r.wrap.b32 %d5, %a0, %a1, %a2;\n",
                 in);
  for (size_t l = 0; l < 32; ++l) {
    uint32_t a = in[4 * l], b = in[4 * l + 1], p = in[4 * l + 2], n = in[4 * l + 3];
    // The pseudo-code of 9.7.1.19 and 9.7.1.20.
    auto bfe = [&](bool sign) {
      uint32_t s = !sign || n == 0 ? 0 : a >> std::min(p + n - 1, 31u) & 1, d = 0;
      for (uint32_t i = 0; i < 32; ++i)
        d |= (i < n && p + i <= 31 ? a >> (p + i) & 1 : s) << i;
      return d;
    };
    uint32_t f = b;
    for (uint32_t i = 0; i < n && p + i <= 31; ++i)
      f = (f & ~(1u << (p + i))) | (a >> i & 1) << (p + i);
    uint32_t bytes = 0;
    uint64_t both = uint64_t(b) << 32 | a;
    for (uint32_t k = 0; k < 4; ++k) {
      uint32_t select = p >> (4 * k) & 15, byte = uint32_t(both >> (8 * (select & 7))) & 255;
      bytes |= (select & 8 ? (byte & 128 ? 255u : 0u) : byte) << (8 * k);
    }
    const uint32_t *d = &got[6 * l];
    EXPECT_EQ(d[0], bfe(false)) << p << " " << n;
    EXPECT_EQ(d[1], bfe(true)) << p << " " << n;
    EXPECT_EQ(d[2], f) << p << " " << n;
    EXPECT_EQ(d[3], bytes);
    EXPECT_EQ(d[4], a ^ b ^ p);
    EXPECT_EQ(d[5], uint32_t(both >> (p & 31)));
  }
}

TEST_F(Vectors, CarryChains) {
  std::mt19937 generator(4);
  std::vector<uint32_t> in(32 * 4);
  for (uint32_t &x : in)
    x = generator() % 3 ? generator() : 0xffffffff;
  auto got = run(
      4, 4, "add.cc.u32 %d0, %a0, %a2;\naddc.u32 %d1, %a1, %a3;\nsub.cc.u32 %d2, %a0, %a2;\nsubc.u32 %d3, %a1, %a3;\n",
      in);
  for (size_t l = 0; l < 32; ++l) {
    uint64_t a = uint64_t(in[4 * l + 1]) << 32 | in[4 * l], b = uint64_t(in[4 * l + 3]) << 32 | in[4 * l + 2];
    EXPECT_EQ(uint64_t(got[4 * l + 1]) << 32 | got[4 * l], a + b) << l;
    EXPECT_EQ(uint64_t(got[4 * l + 3]) << 32 | got[4 * l + 2], a - b) << l;
  }
}

// movmatrix and ldmatrix .trans: element (r, c) goes to where (c, r) was.
TEST_F(Vectors, TransposedTiles) {
  std::vector<uint32_t> in(32);
  for (uint32_t l = 0; l < 32; ++l)
    in[l] = (2 * l) | (2 * l + 1) << 16; // element number 8 row + column
  auto got = run(1, 1, "movmatrix.sync.aligned.m8n8.trans.b16 %d0, %a0;\n", in);
  for (uint32_t l = 0; l < 32; ++l)
    for (uint32_t h = 0; h < 2; ++h) {
      uint32_t row = l / 4, col = 2 * (l % 4) + h;
      EXPECT_EQ(got[l] >> (16 * h) & 0xffff, 8 * col + row) << l;
    }
}

} // namespace
