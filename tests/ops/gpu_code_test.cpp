// What the code of the library's ops for NVIDIA chips says of itself.
#include "compiler/compile.h"
#include "ops/all.h"
#include <gtest/gtest.h>

namespace tessera::ops {
namespace {

std::string ptxOf(std::string_view op, std::string_view chip, DType dtype) {
  const Target &target = **findTarget(chip);
  Program program = findOp(op).value()->trace({.dtype = dtype}, target).value();
  return compile(program, target).value().bytes;
}

std::string declared(const std::string &ptx) {
  size_t begin = ptx.find(".version ") + 9;
  return ptx.substr(begin, ptx.find('\n', begin) - begin);
}

// An old driver reads no newer text than its own version: a chip's own version (PTX ISA, "Release Notes") unless an
// instruction came later (matrix instructions of a T4: 6.5).
TEST(GpuCode, DeclaresTheLowestPtxVersion) {
  struct Row {
    const char *op, *chip;
    DType dtype;
    const char *version;
  };
  for (const Row &row :
       {Row{"softmax", "t4", f32, "6.3"}, Row{"gemm", "t4", f32, "6.3"}, Row{"gemm", "t4", f16, "6.5"},
        Row{"softmax", "a100", f32, "7.0"}, Row{"gemm", "a100", f16, "7.0"}, Row{"gemm", "a10g", bf16, "7.1"},
        Row{"rms_norm", "l4", f32, "7.8"}, Row{"gemm", "l40s", f16, "7.8"}, Row{"softmax", "h100", f32, "8.0"},
        Row{"gemm", "l4", e4m3, "8.4"}, Row{"gemm", "h100", f16, "8.0"}})
    EXPECT_EQ(declared(ptxOf(row.op, row.chip, row.dtype)), row.version) << row.op << " for " << row.chip;
}

// What the passes said of the op's code, one text a line.
std::string remarksOf(std::string_view op, std::string_view chip, DType dtype) {
  const Target &target = **findTarget(chip);
  CompileReport report;
  (void)compile(findOp(op).value()->trace({.dtype = dtype}, target).value(), target, {}, &report).value();
  std::string text;
  for (const Remark &remark : report.remarks)
    text += remark.file + ": " + remark.text + "\n";
  return text;
}

TEST(GpuCode, ExplainsAccessesByLine) {
  std::string gemm = remarksOf("gemm", "a100", f16);
  for (const char *said : {"ops/gemm.cpp: load: 32 accesses of 2 bytes a thread, predicated, no wider because rows are "
                           "known to be aligned to 2 bytes\n",
                           "ops/gemm.cpp: asynchronous copy: 4 accesses of 16 bytes a thread, predicated\n",
                           "matrices of 8 x 16 bytes a warp, bank conflict degree 1\n",
                           "m16n8k16.row.col.f32.f32, 16 x 8 x 16, 2 x 2 warps of 64 x 64\n"})
    EXPECT_NE(gemm.find(said), std::string::npos) << "'" << said << "' is not in\n" << gemm;
  EXPECT_EQ(gemm.find("degree 2"), std::string::npos) << gemm;
}

} // namespace
} // namespace tessera::ops
