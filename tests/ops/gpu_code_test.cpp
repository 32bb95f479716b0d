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
        Row{"rms_norm", "l4", f32, "7.8"}, Row{"gemm", "l40s", f16, "7.8"}, Row{"softmax", "h100", f32, "8.0"}})
    EXPECT_EQ(declared(ptxOf(row.op, row.chip, row.dtype)), row.version) << row.op << " for " << row.chip;
}

} // namespace
} // namespace tessera::ops
