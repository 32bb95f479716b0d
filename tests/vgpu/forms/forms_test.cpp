// Every row of the table of forms: loads, computes what the ISA's formula says, or is refused where the chip lacks it.
#include "tests/vgpu/cuda_api.h"
#include "tests/vgpu/forms/forms.h"
#include <algorithm>
#include <filesystem>
#include <random>
#include <sstream>

namespace {
using namespace forms;

class Forms : public VirtualGpu {
protected:
  // "" when the module loads, the log otherwise.
  std::string refusal(const std::string &text, void *&module) {
    char log[1024] = "";
    int options[] = {5, 6};
    void *values[] = {log, reinterpret_cast<void *>(sizeof log)};
    module = nullptr;
    int code = cuModuleLoadDataEx(&module, text.c_str(), 2, options, values);
    return code == 0 ? "" : code == 218 ? log : "error " + std::to_string(code);
  }
};

// Edge cases first, then random ones of many magnitudes.
u64 operand(Kind kind, std::mt19937_64 &g) {
  bool edge = g() % 3 == 0;
  auto pick = [&](std::initializer_list<u64> list) { return *(list.begin() + g() % list.size()); };
  switch (kind) {
  case Kind::pred:
    return g() & 1;
  case Kind::bits16:
    return edge ? pick({0, 1, 2, 0xffff, 0x7fff, 0x8000, 0x8001, 255}) : g() >> (48 + g() % 16) & 0xffff;
  case Kind::bits32:
    return edge ? pick({0, 1, 2, 31, 32, 0xffffffff, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xff})
                : u32(g() >> (32 + g() % 32)) * (g() & 1 ? 1u : ~0u);
  case Kind::bits64:
    return edge ? pick({0, 1, 2, ~0ull, 1ull << 63, (1ull << 63) - 1, 0xffffffff, 1ull << 32, ~1ull})
                : (g() >> g() % 64) * (g() & 1 ? 1 : ~0ull);
  case Kind::little:
    return g() % 8 == 0 ? u32(g()) : u32(g() % 70);
  case Kind::half:
  case Kind::brain: {
    u64 one = kind == Kind::half ? 0x3c00 : 0x3f80;
    return edge ? pick({0, 0x8000, one, one | 0x8000, 1, 0x8001, 0x3ff, 0x7bff, 0x7c00, 0xfc00, 0x7e01, 0x7f80, 0xff80,
                        0x7fff})
           : g() & 1 ? (one + g() % 0x400) | (g() & 0x8000)
                     : g() & 0xffff;
  }
  case Kind::half2:
    return operand(Kind::half, g) << 16 | operand(Kind::half, g);
  case Kind::brain2:
    return operand(Kind::brain, g) << 16 | operand(Kind::brain, g);
  case Kind::single:
    return edge ? pick({0,          0x80000000, 0x3f800000, 0xbf800000, 0x3f000000, 0x40200000, 0xc0200000, 1,
                        0x80000001, 0x7fffff,   0x800000,   0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
                        0x4f000000, 0xcf000000, 0x5f000000, 0x477fe000, 0x477ff000, 0x33000000, 0x43e00000, 0x43e80000})
           : g() & 1 ? std::bit_cast<u32>(float(std::uniform_real_distribution<double>(-10, 10)(g)))
           : g() & 1
               ? std::bit_cast<u32>(float(std::ldexp(std::uniform_real_distribution<double>(-1, 1)(g), int(g() % 70))))
               : u32(g());
  default:
    return edge ? pick({0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x3fe0000000000000, 0x4004000000000000,
                        1, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x7ff0000000000000,
                        0xfff0000000000000, 0x7ff8000000000000, 0x41dfffffffc00000, 0xc1e0000000000000,
                        0x43e0000000000000})
           : g() & 1 ? std::bit_cast<u64>(std::uniform_real_distribution<double>(-10, 10)(g))
           : g() & 1 ? std::bit_cast<u64>(std::ldexp(std::uniform_real_distribution<double>(-1, 1)(g), int(g() % 70)))
                     : u64(g());
  }
}

bool nearly(double got, double want, double tolerance) {
  if (std::isnan(want) || std::isnan(got))
    return std::isnan(want) && std::isnan(got);
  if (std::isinf(want) || std::isinf(got))
    return want == got;
  return std::fabs(got - want) <= tolerance * std::max(std::fabs(want), 0x1p-24);
}

// Equal, or as near as the row's tolerance allows; NaNs of floating-point results are alike.
bool agrees(const Row &row, u64 got, u64 want) {
  if (got == want)
    return true;
  switch (row.result) {
  case Kind::single: {
    auto g = fromCell<float>(got), w = fromCell<float>(want);
    return (std::isnan(g) && std::isnan(w)) || (row.tolerance > 0 && nearly(g, w, row.tolerance));
  }
  case Kind::real: {
    auto g = fromCell<double>(got), w = fromCell<double>(want);
    return (std::isnan(g) && std::isnan(w)) || (row.tolerance > 0 && nearly(g, w, row.tolerance));
  }
  case Kind::half:
    return row.tolerance > 0 && nearly(number(f16{u16(got)}), number(f16{u16(want)}), row.tolerance);
  case Kind::brain:
    return row.tolerance > 0 && nearly(number(bf16{u16(got)}), number(bf16{u16(want)}), row.tolerance);
  case Kind::half2:
    return row.tolerance > 0 && nearly(number(f16{u16(got)}), number(f16{u16(want)}), row.tolerance) &&
           nearly(number(f16{u16(got >> 16)}), number(f16{u16(want >> 16)}), row.tolerance);
  case Kind::brain2:
    return row.tolerance > 0 && nearly(number(bf16{u16(got)}), number(bf16{u16(want)}), row.tolerance) &&
           nearly(number(bf16{u16(got >> 16)}), number(bf16{u16(want >> 16)}), row.tolerance);
  default:
    return false;
  }
}

TEST_F(Forms, ComputeWhatTheIsaSays) {
  constexpr int threads = 256;
  std::mt19937_64 generator(17);
  auto out = zeros<u64>(threads), memory = zeros<u64>(threads * 4);
  int computed = 0, refused = 0;
  for (const Row &row : allRows()) {
    void *module = nullptr;
    std::string why = refusal(moduleFor(row, arch), module);
    if (arch < row.arch) {
      ++refused;
      EXPECT_TRUE(why.starts_with("line ")) << row.form << ": " << why;
      EXPECT_NE(why.find("needs sm_"), why.npos) << row.form << ": " << why;
      if (module)
        cuModuleUnload(module);
      continue;
    }
    EXPECT_EQ(why, "") << row.form;
    if (!module)
      continue;
    size_t n = std::max<size_t>(row.operands.size(), 1);
    std::vector<u64> in(threads * n);
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = row.operands.empty() ? 0 : operand(row.operands[i % n], generator);
    auto din = upload(in);
    int code = launch(function(module, "k"), {1}, {threads}, 0, din, out, memory);
    ASSERT_EQ(code, 0) << row.form << "\n" << findings();
    auto got = download<u64>(out, threads);
    for (size_t i = 0; i < threads; ++i) {
      u64 want = row.expected(&in[i * n]);
      if (!agrees(row, got[i], want)) {
        std::string operands;
        for (size_t k = 0; k < row.operands.size(); ++k)
          operands += " " + (std::ostringstream() << std::hex << in[i * n + k]).str();
        ADD_FAILURE() << row.form << " of" << operands << std::hex << " gives " << got[i] << ", the ISA says " << want;
        break;
      }
    }
    ++computed;
    cuModuleUnload(module);
    cuMemFree_v2(din);
  }
  RecordProperty("computed", computed);
  RecordProperty("refused", refused);
  std::printf("%d forms computed, %d refused for sm_%d\n", computed, refused, arch);
}

// Forms whose vectors are elsewhere: they load where the table says that they exist, and only there.
TEST_F(Forms, LoadWhereTheyExist) {
  int loaded = 0, refused = 0;
  for (const Listed &listed : listedForms()) {
    void *module = nullptr;
    std::string why = refusal(moduleFor(listed.form, arch), module);
    if (arch < listed.arch) {
      ++refused;
      EXPECT_TRUE(why.starts_with("line ") && why.find("sm_") != why.npos) << listed.form << ": " << why;
    } else {
      ++loaded;
      EXPECT_EQ(why, "") << listed.form;
    }
    if (module)
      cuModuleUnload(module);
  }
  std::printf("%d forms load, %d are refused for sm_%d\n", loaded, refused, arch);
}

// The table names tests that exist.
TEST_F(Forms, NameTheirTests) {
  std::string sources;
  for (const auto &entry : std::filesystem::directory_iterator("tests/vgpu"))
    if (entry.path().extension() == ".cpp") {
      std::ifstream file(entry.path());
      sources.append(std::istreambuf_iterator<char>(file), {});
    }
  for (const Listed &listed : listedForms()) {
    std::string name = listed.test;
    size_t dot = name.find('.');
    std::string head = "(" + name.substr(0, dot) + ", " + name.substr(dot + 1) + ") {";
    EXPECT_NE(sources.find(head), sources.npos) << listed.form << " names " << name;
  }
}

// What is not supported is refused at load, with its line and what is wrong.
TEST_F(Forms, RefuseWithASentence) {
  for (const Refused &row : refusedForms()) {
    void *module = nullptr;
    std::string text = moduleFor(row.form, arch), why = refusal(text, module);
    auto line = 1 + std::count(text.begin(), text.begin() + long(text.find(row.form)), '\n');
    EXPECT_NE(why.find("line " + std::to_string(line) + ": "), why.npos) << row.form << ": " << why;
    bool older = arch < 90 && why.find("sm_") != why.npos; // an older chip may say first that it lacks the form
    EXPECT_TRUE(why.find(row.why) != why.npos || older) << row.form << ": " << why;
    if (module)
      cuModuleUnload(module);
  }
}

} // namespace
