// Matrix instructions against the fragment formulas of the ISA (9.7.14, 9.7.15): which lane holds which element, and
// what comes out, on whole numbers that every order of summation gives exactly.
#include "tests/vgpu/vectors.h"
#include <cstring>
#include <random>

namespace {
using namespace elements;

class MatrixVectors : public PtxVectors {
protected:
  std::mt19937 generator{9};
  std::vector<int> randoms(const Format &f, size_t n) {
    std::vector<int> v(n);
    for (int &x : v)
      x = value(f, unsigned(generator()));
    return v;
  }
  // What a product of two elements is: bits are compared by xor or and.
  static int times(int a, int b, char how) { return how == 'x' ? a ^ b : how == '&' ? a & b : a * b; }

  void mma(int m, int k, const Format &fa, const Format &fb, const char *d, char how = '*', bool saturate = false);
  void volta(bool columnA, bool rowB, bool halfD, bool halfC);
  void wmma(int m, int n, int k, const Format &f, const char *d, bool columnA, bool rowB, char how = '*');
  void wgmma(int N, const Format &fa, const Format &fb, const char *d, bool registersA, bool transA, bool transB,
             int swizzle);
};

// Registers of A hold `each` neighbours of a row: register r is of row g (and g + 8), and of the r-th group of columns.
void MatrixVectors::mma(int m, int k, const Format &fa, const Format &fb, const char *d, char how, bool saturate) {
  bool wide = is(fa, "f64"), whole = d[0] == 's', half = std::string(d) == "f16";
  int bits = fa.bits, each = wide ? 1 : 32 / bits, rows = m / 8, inA = m * k / 32 / each, inB = 8 * k / 32 / each,
      acc = m / 4;
  int wordsA = wide ? 2 * inA : inA, wordsB = wide ? 2 * inB : inB, wordsC = wide ? 2 * acc : half ? acc / 2 : acc;
  auto A = randoms(fa, size_t(m * k)), B = randoms(fb, size_t(k * 8)), C = randoms(s8, size_t(m * 8));
  int words = wordsA + wordsB + wordsC;
  std::vector<uint32_t> in(size_t(32 * words));
  for (int l = 0; l < 32; ++l) {
    int g = l / 4, t = l % 4;
    uint32_t *w = &in[size_t(l * words)];
    auto put = [&](uint32_t *at, int reg, int i, uint64_t code) {
      if (wide)
        at[2 * reg] = uint32_t(code), at[2 * reg + 1] = uint32_t(code >> 32);
      else
        at[reg] |= uint32_t(code) << (i * bits % 32);
    };
    for (int r = 0; r < inA; ++r)
      for (int i = 0; i < each; ++i) {
        int row = g + 8 * (r % rows), col = each * t + i + r / rows * 4 * each;
        put(w, r, i, encode(fa, A[size_t(row * k + col)]));
      }
    for (int r = 0; r < inB; ++r)
      for (int i = 0; i < each; ++i)
        put(w + wordsA, r, i, encode(fb, B[size_t((each * t + i + r * 4 * each) * 8 + g)]));
    for (int r = 0; r < acc; ++r) {
      int v = C[size_t((g + 8 * (r / 2)) * 8 + 2 * t + r % 2)];
      uint32_t *c = w + wordsA + wordsB;
      if (wide)
        put(c, r, 0, encode(f64, v));
      else if (half)
        c[r / 2] |= uint32_t(encode(f16, v)) << (16 * (r % 2));
      else
        c[r] = whole ? uint32_t(v) : std::bit_cast<uint32_t>(float(v));
    }
  }
  std::string shape = "m" + std::to_string(m) + "n8k" + std::to_string(k), load, store;
  std::string c = whole ? "s32" : d, name = "mma.sync.aligned." + shape + ".row.col" +
                                            (saturate ? ".satfinite." : ".") + c + "." + fa.name + "." + fb.name + "." +
                                            c +
                                            (how == 'x'   ? ".xor.popc"
                                             : how == '&' ? ".and.popc"
                                                          : "");
  if (wide) {
    for (int r = 0; r < inA + inB + acc; ++r)
      load += "mov.b64 %e" + std::to_string(r) + ", {%a" + std::to_string(2 * r) + ", %a" + std::to_string(2 * r + 1) +
              "};\n";
    for (int r = 0; r < acc; ++r)
      store += "mov.b64 {%d" + std::to_string(2 * r) + ", %d" + std::to_string(2 * r + 1) + "}, %e" +
               std::to_string(40 + r) + ";\n";
    name += " " + list("%e", 40, acc) + ", " + list("%e", 0, inA) + ", " + list("%e", inA, inB) + ", " +
            list("%e", inA + inB, acc);
  } else {
    name += " " + list("%d", 0, wordsC) + ", " + list("%a", 0, inA) + ", " + list("%a", inA, inB) + ", " +
            list("%a", inA + inB, wordsC);
  }
  auto got = run(words, wordsC, load + name + ";\n" + store, in);
  for (int l = 0; l < 32; ++l)
    for (int r = 0; r < acc; ++r) {
      int row = l / 4 + 8 * (r / 2), col = 2 * (l % 4) + r % 2, want = C[size_t(row * 8 + col)];
      for (int i = 0; i < k; ++i)
        want += times(A[size_t(row * k + i)], B[size_t(i * 8 + col)], how);
      const uint32_t *o = &got[size_t(l * wordsC)];
      double is = wide    ? std::bit_cast<double>(uint64_t(o[2 * r + 1]) << 32 | o[2 * r])
                  : whole ? double(int32_t(o[r]))
                  : half  ? double(std::bit_cast<_Float16>(uint16_t(o[r / 2] >> (16 * (r % 2)))))
                          : double(std::bit_cast<float>(o[r]));
      ASSERT_EQ(is, want) << name << " lane " << l << " register " << r;
    }
}

TEST_F(MatrixVectors, Mma) {
  for (const char *d : {"f32", "f16"}) {
    mma(16, 8, f16, f16, d);
    if (arch >= 80)
      mma(16, 16, f16, f16, d);
  }
  mma(8, 16, s8, s8, "s32");
  mma(8, 16, u8, s8, "s32");
  mma(8, 32, s4, u4, "s32");
  mma(8, 128, b1, b1, "s32", 'x');
  if (arch < 80)
    return;
  mma(16, 8, bf16, bf16, "f32");
  mma(16, 16, bf16, bf16, "f32");
  mma(16, 4, tf32, tf32, "f32");
  mma(16, 8, tf32, tf32, "f32");
  mma(8, 4, f64, f64, "f64");
  for (const Format *a : {&s8, &u8})
    for (const Format *b : {&s8, &u8})
      mma(16, 16, *a, *b, "s32"), mma(16, 32, *a, *b, "s32", '*', true);
  for (const Format *a : {&s4, &u4})
    for (const Format *b : {&s4, &u4})
      mma(16, 32, *a, *b, "s32"), mma(16, 64, *a, *b, "s32", '*', true);
  mma(8, 128, b1, b1, "s32", '&');
  for (char how : {'x', '&'})
    mma(16, 128, b1, b1, "s32", how), mma(16, 256, b1, b1, "s32", how);
  if (arch >= 89)
    for (const Format *a : {&e4m3, &e5m2})
      for (const Format *b : {&e4m3, &e5m2})
        for (const char *d : {"f32", "f16"})
          mma(16, 32, *a, *b, d), mma(16, 16, *a, *b, d);
  if (arch >= 90)
    mma(16, 4, f64, f64, "f64"), mma(16, 8, f64, f64, "f64"), mma(16, 16, f64, f64, "f64");
}

TEST_F(MatrixVectors, IntegerSaturation) {
  // Both ends: 127 * 127 * 32 above and below what is nearly full already.
  for (bool saturate : {false, true}) {
    std::string text = std::string("mma.sync.aligned.m8n8k16.row.col") + (saturate ? ".satfinite" : "") +
                       ".s32.s8.s8.s32 {%d0, %d1}, {%a0}, {%a1}, {%a2, %a2};\n";
    for (bool up : {true, false}) {
      std::vector<uint32_t> in;
      for (int l = 0; l < 32; ++l)
        in.insert(in.end(), {0x7f7f7f7fu, up ? 0x7f7f7f7fu : 0x81818181u, up ? 0x7fffffffu : 0x80000000u});
      auto got = run(3, 2, text, in);
      int32_t change = 127 * 127 * 16 * (up ? 1 : -1), start = up ? INT32_MAX : INT32_MIN;
      for (uint32_t v : got)
        ASSERT_EQ(int32_t(v), saturate ? start : int32_t(uint32_t(start) + uint32_t(change)));
    }
  }
}

// m8n8k4: four products, each of lanes 4g to 4g + 3 and 16 + 4g to 16 + 4g + 3.
void MatrixVectors::volta(bool columnA, bool rowB, bool halfD, bool halfC) {
  std::vector<int> A[4], B[4], C[4];
  for (int q = 0; q < 4; ++q)
    A[q] = randoms(f16, 32), B[q] = randoms(f16, 32), C[q] = randoms(f16, 64);
  int inC = halfC ? 4 : 8, inD = halfD ? 4 : 8, words = 4 + inC;
  auto place = [](bool half, int l, int i) {
    int row = half ? l % 4 : (l & 1) + (i & 2), col = half ? i : (i & 4) + (l & 2) + (i & 1);
    return std::pair(row + (l < 16 ? 0 : 4), col);
  };
  std::vector<uint32_t> in(size_t(32 * words));
  for (int l = 0; l < 32; ++l) {
    int q = l / 4 % 4, four = l < 16 ? 0 : 4;
    uint32_t *w = &in[size_t(l * words)];
    for (int i = 0; i < 4; ++i) {
      int a = columnA ? A[q][size_t((i + four) * 4 + l % 4)] : A[q][size_t((l % 4 + four) * 4 + i)];
      int b = rowB ? B[q][size_t(l % 4 * 8 + i + four)] : B[q][size_t(i * 8 + l % 4 + four)];
      w[i / 2] |= uint32_t(encode(f16, a)) << (16 * (i % 2));
      w[2 + i / 2] |= uint32_t(encode(f16, b)) << (16 * (i % 2));
    }
    for (int i = 0; i < 8; ++i) {
      auto [row, col] = place(halfC, l, i);
      int v = C[q][size_t(row * 8 + col)];
      if (halfC)
        w[4 + i / 2] |= uint32_t(encode(f16, v)) << (16 * (i % 2));
      else
        w[4 + i] = std::bit_cast<uint32_t>(float(v));
    }
  }
  std::string name = std::string("mma.sync.aligned.m8n8k4.") + (columnA ? "col." : "row.") + (rowB ? "row." : "col.") +
                     (halfD ? "f16" : "f32") + ".f16.f16." + (halfC ? "f16 " : "f32 ") + list("%d", 0, inD) + ", " +
                     list("%a", 0, 2) + ", " + list("%a", 2, 2) + ", " + list("%a", 4, inC) + ";\n";
  auto got = run(words, inD, name, in);
  for (int l = 0; l < 32; ++l)
    for (int i = 0; i < 8; ++i) {
      auto [row, col] = place(halfD, l, i);
      int q = l / 4 % 4, want = C[q][size_t(row * 8 + col)];
      for (int k = 0; k < 4; ++k)
        want += A[q][size_t(row * 4 + k)] * B[q][size_t(k * 8 + col)];
      const uint32_t *o = &got[size_t(l * inD)];
      double is = halfD ? double(std::bit_cast<_Float16>(uint16_t(o[i / 2] >> (16 * (i % 2)))))
                        : double(std::bit_cast<float>(o[i]));
      ASSERT_EQ(is, want) << name << " lane " << l << " element " << i;
    }
}
TEST_F(MatrixVectors, MmaOfFourGroups) {
  for (bool columnA : {false, true})
    for (bool rowB : {false, true})
      volta(columnA, rowB, false, false), volta(columnA, rowB, true, true), volta(columnA, rowB, false, true);
}

// Row r of matrix j is the 16 bytes at the address of lane 8j + r; a lane gets row l / 4, columns 2 (l % 4) and the
// next; with .trans the roles of row and column change.
TEST_F(MatrixVectors, Ldmatrix) {
  std::vector<uint32_t> in;
  for (uint32_t l = 0; l < 32; ++l)
    for (uint32_t k = 0; k < 4; ++k)
      in.push_back((8 * l + 2 * k) | (8 * l + 2 * k + 1) << 16); // halves are numbered through
  for (int n : {1, 2, 4})
    for (bool trans : {false, true}) {
      // Lane l's row lies at 48 l: not packed, and in an order of its own.
      std::string body =
          "mad.lo.u32 %t1, %t0, 48, 0;\nmov.u32 %t2, sm;\nadd.u32 %t1, %t1, %t2;\nst.shared.v4.b32 [%t1], {%a0, %a1, "
          "%a2, %a3};\nbar.warp.sync -1;\nxor.b32 %t3, %t0, 5;\nmad.lo.u32 %t1, %t3, 48, "
          "%t2;\nldmatrix.sync.aligned.m8n8.x" +
          std::to_string(n) + (trans ? ".trans" : "") + ".shared.b16 " + list("%d", 0, n) + ", [%t1];\n";
      auto got = run(4, n, body, in);
      for (uint32_t l = 0; l < 32; ++l)
        for (int j = 0; j < n; ++j)
          for (uint32_t h = 0; h < 2; ++h) {
            uint32_t row = l / 4, col = 2 * (l % 4) + h;
            if (trans)
              std::swap(row, col);
            uint32_t want = 8 * ((8 * uint32_t(j) + row) ^ 5) + col;
            ASSERT_EQ(got[size_t(l) * size_t(n) + size_t(j)] >> (16 * h) & 0xffff, want) << body << l << " " << j;
          }
    }
}

TEST_F(MatrixVectors, Stmatrix) {
  if (arch < 90)
    GTEST_SKIP() << "stmatrix needs sm_90";
  std::vector<uint32_t> in;
  for (uint32_t l = 0; l < 32; ++l)
    for (uint32_t j = 0; j < 4; ++j)
      in.push_back(1000 * j + 2 * l | (1000 * j + 2 * l + 1) << 16); // half 2 (l % 4) + h of row l / 4 of matrix j
  for (int n : {1, 2, 4})
    for (bool trans : {false, true}) {
      std::string body = "mov.u32 %t2, sm;\nmad.lo.u32 %t1, %t0, 48, %t2;\nstmatrix.sync.aligned.m8n8.x" +
                         std::to_string(n) + (trans ? ".trans" : "") + ".shared.b16 [%t1], " + list("%a", 0, n) +
                         ";\nbar.warp.sync -1;\nmov.b32 %d0, 0; mov.b32 %d1, 0; mov.b32 %d2, 0; mov.b32 %d3, "
                         "0;\nsetp.lt.u32 %p0, %t0, " +
                         std::to_string(8 * n) + ";\n@%p0 ld.shared.v4.b32 {%d0, %d1, %d2, %d3}, [%t1];\n";
      auto got = run(4, 4, body, in);
      for (uint32_t l = 0; l < uint32_t(8 * n); ++l)
        for (uint32_t c = 0; c < 8; ++c) {
          uint32_t row = l % 8, col = c;
          if (trans)
            std::swap(row, col);
          ASSERT_EQ(got[4 * l + c / 2] >> (16 * (c % 2)) & 0xffff, 1000 * (l / 8) + 8 * row + col)
              << body << l << " " << c;
        }
    }
}

// Loads, multiplies and stores whole matrices: the order inside fragments is not specified, the matrices are.
void MatrixVectors::wmma(int m, int n, int k, const Format &f, const char *d, bool columnA, bool rowB, char how) {
  bool wide = is(f, "f64"), whole = d[0] == 's', half = std::string(d) == "f16", small = f.bits < 8;
  auto A = randoms(f, size_t(m * k)), B = randoms(f, size_t(k * n)), C = randoms(s8, size_t(m * n));
  // Lines that are 16 elements (or 16 bytes) longer than needed.
  int ldA = (columnA ? m : k) + (small ? 128 / f.bits : 16), ldB = (rowB ? n : k) + (small ? 128 / f.bits : 16),
      ldC = n + 16;
  auto pack = [&](const std::vector<int> &v, int rows, int cols, int ld, bool lines, const Format &e) {
    std::vector<uint8_t> bytes(size_t(lines ? rows : cols) * size_t(ld) * size_t(e.bits) / 8);
    for (int r = 0; r < rows; ++r)
      for (int c = 0; c < cols; ++c) {
        size_t at = size_t(lines ? r * ld + c : c * ld + r);
        uint64_t code = encode(e, v[size_t(r * cols + c)]);
        for (int b = 0; b < e.bits; ++b)
          bytes[(at * size_t(e.bits) + size_t(b)) / 8] |=
              uint8_t((code >> b & 1) << ((at * size_t(e.bits) + size_t(b)) % 8));
      }
    return bytes;
  };
  Format acc = wide ? f64 : half ? f16 : Format{whole ? "s32" : "tf32", 32};
  auto da = upload(pack(A, m, k, ldA, !columnA, f)), db = upload(pack(B, k, n, ldB, rowB, f));
  std::vector<uint8_t> c;
  if (whole) {
    c.resize(size_t(m * ldC * 4));
    for (int r = 0; r < m; ++r)
      for (int x = 0; x < n; ++x)
        std::memcpy(&c[size_t(4 * (r * ldC + x))], &C[size_t(r * n + x)], 4);
  } else {
    c = pack(C, m, n, ldC, true, acc);
  }
  auto dc = upload(c);
  bool two = is(f, "f16") || is(f, "bf16");
  int na = wide            ? 1
           : small         ? 1
           : is(f, "tf32") ? 4
           : is(f, "f16")  ? 8
                           : m * k * f.bits / 1024,
      nb = wide            ? 1
           : small         ? 1
           : is(f, "tf32") ? 4
           : is(f, "f16")  ? 8
                           : k * n * f.bits / 1024;
  int nc = wide ? 2 : half ? 4 : m * n / 32;
  (void)two;
  const char *w = wide ? "%e" : "%a";
  std::string shape = "m" + std::to_string(m) + "n" + std::to_string(n) + "k" + std::to_string(k);
  std::string la = columnA ? "col" : "row", lb = rowB ? "row" : "col", dt = whole ? "s32" : d;
  std::string types = is(f, "f16") ? dt + "." + dt : dt + "." + f.name + "." + f.name + "." + dt;
  std::string body =
      "{ .reg .b64 pc; ld.param.u64 pc, [pin];\nwmma.load.a.sync.aligned." + la + "." + shape + "." + f.name + " " +
      list(w, 0, na) + ", [%rd4], " + std::to_string(ldA) + ";\nwmma.load.b.sync.aligned." + lb + "." + shape + "." +
      f.name + " " + list(w, 10, nb) + ", [%rd5], " + std::to_string(ldB) + ";\nwmma.load.c.sync.aligned.row." + shape +
      "." + dt + " " + list(w, 20, nc) + ", [pc], " + std::to_string(ldC) + ";\nwmma.mma" +
      (how == 'x'   ? ".xor.popc"
       : how == '&' ? ".and.popc"
                    : "") +
      ".sync.aligned." + la + "." + lb + "." + shape + "." + types + " " + list(w, 30, nc) + ", " + list(w, 0, na) +
      ", " + list(w, 10, nb) + ", " + list(w, 20, nc) + ";\nwmma.store.d.sync.aligned.row." + shape + "." + dt +
      " [pc], " + list(w, 30, nc) + ", " + std::to_string(ldC) + "; }\n";
  std::string text =
      header() +
      ".visible .entry k(.param .u64 pin, .param .u64 pa, .param .u64 pb)\n{\n.reg .b32 %a<64>;\n.reg .f64 %e<64>;\n"
      ".reg .b64 %rd<8>;\nld.param.u64 %rd4, [pa];\nld.param.u64 %rd5, [pb];\n" +
      body + "ret;\n}\n";
  void *module = loadText(text);
  ASSERT_TRUE(module) << body;
  ASSERT_EQ(launch(function(module, "k"), {1}, {32}, 0, dc, da, db), 0) << findings() << body;
  auto got = download<uint8_t>(dc, c.size());
  for (int r = 0; r < m; ++r)
    for (int x = 0; x < n; ++x) {
      int want = C[size_t(r * n + x)];
      for (int i = 0; i < k; ++i)
        want += times(A[size_t(r * k + i)], B[size_t(i * n + x)], how);
      size_t at = size_t(r * ldC + x);
      uint64_t bits = 0;
      std::memcpy(&bits, &got[at * size_t(acc.bits) / 8], size_t(acc.bits) / 8);
      double is = wide    ? std::bit_cast<double>(bits)
                  : whole ? double(int32_t(bits))
                  : half  ? double(std::bit_cast<_Float16>(uint16_t(bits)))
                          : double(std::bit_cast<float>(uint32_t(bits)));
      ASSERT_EQ(is, want) << body << r << " " << x;
    }
}
TEST_F(MatrixVectors, Wmma) {
  const int shapes[][3] = {{16, 16, 16}, {32, 8, 16}, {8, 32, 16}};
  for (const auto &s : shapes)
    for (bool columnA : {false, true})
      for (bool rowB : {false, true}) {
        wmma(s[0], s[1], s[2], f16, "f32", columnA, rowB);
        wmma(s[0], s[1], s[2], f16, "f16", columnA, rowB);
        wmma(s[0], s[1], s[2], s8, "s32", columnA, rowB);
        wmma(s[0], s[1], s[2], u8, "s32", columnA, rowB);
        if (arch >= 80)
          wmma(s[0], s[1], s[2], bf16, "f32", columnA, rowB);
      }
  for (bool columnA : {false, true})
    for (bool rowB : {false, true})
      if (arch >= 80)
        wmma(16, 16, 8, tf32, "f32", columnA, rowB), wmma(8, 8, 4, f64, "f64", columnA, rowB);
  wmma(8, 8, 32, s4, "s32", false, false);
  wmma(8, 8, 32, u4, "s32", false, false);
  wmma(8, 8, 128, b1, "s32", false, false, 'x');
  if (arch >= 80)
    wmma(8, 8, 128, b1, "s32", false, false, '&');
}

// One wgmma on a tile in shared memory. An operand is `lines` of 16-byte chunks; K-major: a line is a row of the tile,
// its atom 8 rows of `span` bytes; MN-major: a line is one k.
void MatrixVectors::wgmma(int N, const Format &fa, const Format &fb, const char *d, bool registersA, bool transA,
                          bool transB, int swizzle) {
  bool whole = d[0] == 's', half = std::string(d) == "f16", bit = is(fa, "b1");
  int K = 256 / fa.bits, bytes = fa.bits, per = 128 / fa.bits; // elements of a 16-byte chunk
  (void)bytes;
  auto A = randoms(fa, size_t(64 * K)), B = randoms(fb, size_t(K * N));
  constexpr int spans[] = {16, 32, 64, 128};
  int span = spans[swizzle];
  // Byte place of element (row, k) of an operand of `rows` rows: the canonical layouts of 5.5.7 and 9.7.15.5.1.
  struct Layout {
    int leading, stride;
  };
  auto placeK = [&](int row, int k, const Layout &y) {
    int line = row % 8, inRow = k * fa.bits / 8;
    return swizzle ? row / 8 * y.stride + line * span + inRow
                   : row / 8 * y.stride + k / per * y.leading + line * 16 + inRow % 16;
  };
  auto placeMn = [&](int row, int k, const Layout &y) {
    int at = row * 2;
    return swizzle ? at / span * y.leading + k / 8 * y.stride + k % 8 * span + at % span
                   : at / 16 * y.stride + k / 8 * y.leading + k % 8 * 16 + at % 16;
  };
  auto layoutOf = [&](int rows, bool trans) -> Layout {
    if (!trans)
      return swizzle ? Layout{16, 8 * span} : Layout{rows * 16, 128};
    return swizzle ? Layout{16 * span, 8 * span} : Layout{rows * 16, 128};
  };
  auto mix = [&](int at) { return swizzle ? at ^ (at >> 7 & ((1 << swizzle) - 1)) << 4 : at; };
  std::vector<uint8_t> tile(40960);
  int startB = 16384;
  Layout ya = layoutOf(64, transA), yb = layoutOf(N, transB);
  auto fill = [&](int start, int rows, const std::vector<int> &v, bool rowsFirst, const Format &f, const Layout &y,
                  bool trans) {
    for (int r = 0; r < rows; ++r)
      for (int k = 0; k < K; ++k) {
        uint64_t code = encode(f, v[size_t(rowsFirst ? r * K + k : k * rows + r)]);
        int at = mix(start + (trans ? placeMn(r, k, y) : placeK(r, k, y)));
        if (bit)
          tile[size_t(at)] |= uint8_t(code << (k % 8));
        else
          std::memcpy(&tile[size_t(at)], &code, size_t(f.bits) / 8);
      }
  };
  fill(0, 64, A, true, fa, ya, transA);
  fill(startB, N, B, false, fb, yb, transB);
  auto dt = upload(tile);
  constexpr uint64_t codes[] = {0, 3, 2, 1};
  auto descriptor = [&](int start, const Layout &y) { // the shared address is added by the kernel
    return uint64_t(start >> 4) | uint64_t(y.leading >> 4) << 16 | uint64_t(y.stride >> 4) << 32 | codes[swizzle] << 62;
  };
  int acc = half ? N / 4 : N / 2, each = 32 / fa.bits;
  std::vector<uint32_t> in(size_t(128 * 4));
  for (int t = 0; t < 128 && registersA; ++t)
    for (int j = 0; j < 4; ++j)
      for (int i = 0; i < each; ++i) {
        int l = t % 32, row = 16 * (t / 32) + l / 4 + 8 * (j % 2), col = each * (l % 4) + i + j / 2 * 4 * each;
        in[size_t(4 * t + j)] |= uint32_t(encode(fa, A[size_t(row * K + col)])) << (i * fa.bits % 32);
      }
  std::string word = half || whole ? "%d" : "%d";
  std::string name = "wgmma.mma_async.sync.aligned.m64n" + std::to_string(N) + "k" + std::to_string(K) + "." + d + "." +
                     fa.name + "." + fb.name + (bit ? ".and.popc" : "");
  bool halves = fa.bits == 16;
  std::string flags = whole
                          ? ""
                          : std::string(", 1, ") + (transB ? "-1" : "1") +
                                (!halves      ? ""
                                 : registersA ? std::string(", ") + (transB ? "1" : "0")
                                              : std::string(", ") + (transA ? "1" : "0") + ", " + (transB ? "1" : "0"));
  int sign = !whole && transB ? -1 : 1; // the transposed runs negate B too
  std::string body =
      "mov.u32 %t1, sm;\n{ .reg .b64 s, e; .reg .b32 at; mov.u32 at, %t0;\nCOPY: setp.ge.u32 %p1, at, 2560; @%p1 bra "
      "DONE;\n"
      "mad.wide.u32 s, at, 16, %rd4; ld.global.v4.u32 {%d0, %d1, %d2, %d3}, [s]; mad.lo.u32 %t2, at, 16, %t1;\n"
      "st.shared.v4.u32 [%t2], {%d0, %d1, %d2, %d3}; add.u32 at, at, 128; bra COPY;\nDONE: "
      "}\nfence.proxy.async.shared::cta;\nbar.sync 0;\n"
      "cvt.u64.u32 %q0, %t1; shr.u64 %q0, %q0, 4;\nadd.u64 %q1, %q0, " +
      std::to_string(int64_t(descriptor(0, ya))) + ";\nadd.u64 %q2, %q0, " +
      std::to_string(int64_t(descriptor(startB, yb))) + ";\n";
  for (int r = 0; r < acc; ++r)
    body += "mov.b32 %d" + std::to_string(r) + ", " +
            (half    ? "0x3c003c00"
             : whole ? "5"
                     : "0x3f800000") +
            ";\n"; // ones, or fives
  body += "setp.ne.u32 %p2, %t0, 1000;\nwgmma.fence.sync.aligned;\n";
  std::string a = registersA ? list("%a", 0, 4) : "%q1";
  body += name + " " + list("%d", 0, acc) + ", " + a + ", %q2, %p2" + flags + ";\n"; // adds to the ones
  body += "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n";
  auto got = run(4, acc, body, in, 128, dt);
  cuMemFree_v2(dt);
  for (int t = 0; t < 128; ++t)
    for (int i = 0; i < N / 2; ++i) {
      int l = t % 32, row = 16 * (t / 32) + l / 4 + 8 * (i >> 1 & 1), col = 8 * (i >> 2) + 2 * (l % 4) + (i & 1),
          want = 0;
      for (int k = 0; k < K; ++k)
        want += times(A[size_t(row * K + k)], B[size_t(k * N + col)], bit ? '&' : '*');
      want = sign * want + (whole ? 5 : 1);
      const uint32_t *o = &got[size_t(t * acc)];
      double is = whole  ? double(int32_t(o[i]))
                  : half ? double(std::bit_cast<_Float16>(uint16_t(o[i / 2] >> (16 * (i % 2)))))
                         : double(std::bit_cast<float>(o[i]));
      ASSERT_EQ(is, want) << name << (registersA ? " RS" : "") << (transA ? " A^T" : "") << (transB ? " B^T" : "")
                          << " swizzle " << span << " thread " << t << " register " << i;
    }
}
TEST_F(MatrixVectors, Wgmma) {
  if (arch != 90)
    GTEST_SKIP() << "wgmma is of sm_90a";
  for (int swizzle = 0; swizzle < 4; ++swizzle)
    for (bool registersA : {false, true}) {
      for (const char *d : {"f32", "f16"})
        for (bool transA : {false, true})
          for (bool transB : {false, true})
            if (!(registersA && transA))
              wgmma(64, f16, f16, d, registersA, transA, transB, swizzle);
      for (bool transB : {false, true})
        wgmma(128, bf16, bf16, "f32", registersA, false, transB, swizzle);
      wgmma(64, tf32, tf32, "f32", registersA, false, false, swizzle);
      wgmma(64, e4m3, e5m2, "f32", registersA, false, false, swizzle);
      wgmma(64, e5m2, e4m3, "f16", registersA, false, false, swizzle);
      wgmma(64, s8, u8, "s32", registersA, false, false, swizzle);
      wgmma(64, u8, s8, "s32", registersA, false, false, swizzle);
      wgmma(64, b1, b1, "s32", registersA, false, false, swizzle);
    }
  for (int N = 8; N <= 256; N += 8)
    wgmma(N, bf16, bf16, "f32", false, false, false, 1);
}

} // namespace
