// Registers by liveness: exact on kernels small enough to count by hand, close to the vendor's assembler on the test
// kernels, bounded by the directives.
#include "runtime/vgpu/driver/ptxas.h"
#include "runtime/vgpu/exec/decoder.h"
#include "runtime/vgpu/exec/resources.h"
#include "runtime/vgpu/ptx/parser.h"
#include <cmath>
#include <fstream>
#include <gtest/gtest.h>
#include <sstream>

namespace tessera::vgpu {
namespace {

struct Loaded {
  ptx::Module module;
  std::vector<std::unique_ptr<Program>> programs;
};

Loaded load(const std::string &text) {
  Loaded loaded;
  auto parsed = ptx::parse(text);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  if (!parsed)
    return loaded;
  loaded.module = std::move(*parsed);
  SymbolTable symbols;
  for (const ptx::Variable &v : loaded.module.variables)
    symbols[v.name] = 4096;
  for (const ptx::Function &f : loaded.module.functions)
    if (f.entry && !f.declaration) {
      auto program = decodeKernel(loaded.module, f, symbols, uint32_t(std::atoi(loaded.module.target.c_str() + 3)));
      EXPECT_TRUE(program) << (program ? "" : program.error().message);
      if (program)
        loaded.programs.push_back(std::move(*program));
    }
  return loaded;
}

Resources resources(const std::string &body, const std::string &directives = "", const std::string &more = "") {
  const Loaded loaded =
      load(".version 8.0\n.target sm_90a\n.address_size 64\n" + more + ".visible .entry k(.param .u64 p) " +
           directives + "\n{\n.reg .pred %p<9>;\n.reg .b32 %r<300>;\n.reg .b64 %rd<9>;\n" + body + "ret;\n}\n");
  return loaded.programs.empty() ? Resources{} : loaded.programs[0]->resources;
}

// `count` values that all live until the last is loaded, then are stored one by one.
std::string heldValues(int count) {
  std::string text = "ld.param.u64 %rd1, [p];\n";
  for (int i = 0; i < count; ++i)
    text += "ld.global.u32 %r" + std::to_string(i) + ", [%rd1+" + std::to_string(4 * i) + "];\n";
  for (int i = 0; i < count; ++i)
    text += "st.global.u32 [%rd1+" + std::to_string(4 * (count - i)) + "], %r" + std::to_string(i) + ";\n";
  return text;
}

TEST(Liveness, CountsWhatLivesAtOnce) {
  // The pointer is a parameter, which is made again where it is used; the values are loaded together.
  EXPECT_EQ(resources(heldValues(40)).live, 40u);
  // %r1 dies at the add; the 64-bit product takes two.
  const Resources r = resources("mov.u32 %r1, %tid.x;\nadd.u32 %r2, %r1, 1;\nmul.wide.u32 %rd1, %r2, 4;\n"
                                "cvt.u32.u64 %r3, %rd1;\nst.shared.u32 [%r3], %r3;\n");
  EXPECT_EQ(r.live, 2u);
  EXPECT_EQ(r.peakLine, 11u) << "the multiplication";
  EXPECT_EQ(r.predicates, 0u);
}

TEST(Liveness, GoesAroundLoopsAndThroughGuards) {
  // %r1 lives around the loop although nothing below its use in the text reads it; %r3 is not ended by a guarded write.
  const Resources r = resources("mov.u32 %r1, %tid.x;\nmov.u32 %r3, %tid.y;\nmov.u32 %r2, %ctaid.x;\nLOOP:\n"
                                "add.u32 %r2, %r2, %r1;\nsetp.lt.u32 %p1, %r2, 100;\n@%p1 add.u32 %r3, %r2, 5;\n"
                                "@%p1 bra LOOP;\nst.shared.u32 [%r3], %r3;\n");
  EXPECT_EQ(r.live, 3u);
  EXPECT_EQ(r.predicates, 1u);
}

TEST(Liveness, WhatLivesAcrossACallAddsToTheCallee) {
  const std::string callee =
      ".func (.param .b32 r) f(.param .b32 a)\n{\n.reg .b32 %r<9>;\nld.param.u32 %r1, [a];\n"
      "mov.u32 %r2, %tid.x;\nmov.u32 %r3, %tid.y;\nmov.u32 %r4, %ctaid.x;\nadd.u32 %r5, %r1, %r2;\n"
      "add.u32 %r5, %r5, %r3;\nadd.u32 %r5, %r5, %r4;\nst.param.b32 [r], %r5;\nret;\n}\n";
  const std::string call =
      "mov.u32 %r1, %tid.x;\nmov.u32 %r2, %tid.y;\n{\n.param .b32 q;\n.param .b32 s;\nst.param.b32 [q], %r1;\n"
      "call (s), f, (q);\nld.param.b32 %r3, [s];\n}\nadd.u32 %r3, %r3, %r2;\nst.shared.u32 [%r3], %r3;\n";
  EXPECT_EQ(resources(call, "", callee).live, 5u) << "four in f, and %r2";
  EXPECT_EQ(resources(call, "", callee).registers, 24u) << "the calling convention's";
}

TEST(Resources, DirectivesBoundRegistersAndTheRestSpills) {
  EXPECT_EQ(resources(heldValues(100)).registers, 104u);
  const Resources bound = resources(heldValues(100), ".maxntid 1024");
  EXPECT_EQ(bound.registers, 64u);
  EXPECT_EQ(bound.spillBytes, 4u * 40);
  EXPECT_EQ(resources(heldValues(100), ".maxntid 256 .minnctapersm 4").registers, 64u);
  EXPECT_EQ(resources(heldValues(100), ".reqntid 256, 2").registers, 104u);
  EXPECT_EQ(resources(heldValues(100), ".maxnreg 40").registers, 40u);
  EXPECT_EQ(resources(heldValues(270)).registers, 255u) << "the instruction's limit";
}

// ptxas 13.0 says the same of these, with "'setmaxnreg' ignored" for the second.
TEST(Resources, SetmaxnregStartsWithWhatTheDirectivesGrant) {
  const std::string dec = "setmaxnreg.dec.sync.aligned.u32 40;\n";
  EXPECT_EQ(resources(dec, ".maxntid 256 .minnctapersm 2").registers, 128u);
  EXPECT_EQ(resources(dec, ".maxntid 384").registers, 8u);
  EXPECT_EQ(resources(dec, ".maxnreg 64").registers, 64u);
  EXPECT_EQ(
      resources("setmaxnreg.inc.sync.aligned.u32 240;\n" + heldValues(200), ".maxntid 384 .minnctapersm 1").spillBytes,
      0u);
}

// registers.txt is what ptxas allocates for the same files (kernels/build.sh).
TEST(Resources, TheEstimateIsCloseToTheAssembler) {
  std::ifstream known("tests/vgpu/kernels/registers.txt");
  ASSERT_TRUE(known);
  std::map<std::string, std::map<std::string, uint32_t>> files;
  for (std::string line; std::getline(known, line);) {
    std::istringstream words(line);
    std::string file, kernel;
    uint32_t registers = 0;
    if (line[0] != '#' && words >> file >> kernel >> registers)
      files[file][kernel] = registers;
  }
  double off = 0, share = 0, bias = 0;
  int count = 0;
  for (const auto &[file, kernels] : files) {
    std::ifstream text("tests/vgpu/kernels/" + file);
    const Loaded loaded = load(std::string(std::istreambuf_iterator<char>(text), {}));
    for (const auto &program : loaded.programs) {
      const auto found = kernels.find(program->name);
      if (found == kernels.end())
        continue;
      const double difference = double(program->resources.registers) - found->second;
      off += std::abs(difference), bias += difference, share += std::abs(difference) / found->second;
      ++count;
    }
  }
  ASSERT_GE(count, 90);
  RecordProperty("mean_error_registers", std::to_string(off / count));
  std::printf("%d kernels: mean error %.2f registers (%.1f %%), bias %+.2f\n", count, off / count, 100 * share / count,
              bias / count);
  EXPECT_LE(off / count, 3.2);
  EXPECT_LE(share / count, 0.15);
}

TEST(Resources, TheAssemblersLogIsRead) {
  const auto entries = driver::parseAssembled(
      "ptxas info    : 0 bytes gmem\nptxas info    : Compiling entry function 'calls' for 'sm_80'\n"
      "ptxas info    : Function properties for calls\n    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill "
      "loads\n"
      "ptxas info    : Used 26 registers, used 0 barriers, 16 bytes cumulative stack size, 372 bytes cmem[0]\n"
      "ptxas info    : Function properties for callee\n    99 bytes stack frame, 99 bytes spill stores, 0 bytes spill "
      "loads\n"
      "ptxas info    : Compiling entry function 'b' for 'sm_80'\nptxas info    : Used 8 registers, used 0 barriers\n");
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries.at("calls").registers, 26u);
  EXPECT_EQ(entries.at("calls").stackBytes, 16u);
  EXPECT_EQ(entries.at("calls").spillBytes, 12u);
  EXPECT_EQ(entries.at("b").registers, 8u);
  EXPECT_EQ(entries.at("b").stackBytes, 0u);
  EXPECT_TRUE(driver::parseAssembled("ptxas fatal   : Unresolved extern function 'x'\nUsed registers,\n").empty());
}

TEST(Chips, EveryRowNamesItsSources) {
  EXPECT_EQ(chips().size(), 10u);
  for (const Chip &chip : chips()) {
    EXPECT_TRUE(chip.source.find("datasheet") != chip.source.npos || chip.source.find("whitepaper") != chip.source.npos)
        << chip.id;
    EXPECT_NE(chip.source.find("L2: "), chip.source.npos) << chip.id;
  }
}

} // namespace
} // namespace tessera::vgpu
