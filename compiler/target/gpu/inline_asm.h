// PTX that LLVM has no operation for, with registers that it must not move past it.
#pragma once
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <string>

namespace tessera::gpu {

// Statements that read `operands` ($0, $1, ..., as `constraints` names them) and may change memory.
inline void statement(mlir::OpBuilder &b, mlir::Location loc, const std::string &text, mlir::ValueRange operands = {},
                      const std::string &constraints = "") {
  mlir::LLVM::InlineAsmOp::create(b, loc, mlir::LLVM::LLVMVoidType::get(b.getContext()), operands, text,
                                  constraints + (constraints.empty() ? "" : ",") + "~{memory}",
                                  /*has_side_effects=*/true, /*is_align_stack=*/false,
                                  mlir::LLVM::tailcallkind::TailCallKind::None, mlir::LLVM::AsmDialectAttr(),
                                  mlir::ArrayAttr());
}

// A register that a statement computes from others, and nothing else.
inline mlir::Value computed(mlir::OpBuilder &b, mlir::Location loc, const std::string &text, mlir::ValueRange operands,
                            const std::string &constraints) {
  mlir::Type type = constraints.starts_with("=l") ? b.getI64Type() : b.getI32Type();
  return mlir::LLVM::InlineAsmOp::create(b, loc, type, operands, text, constraints, /*has_side_effects=*/false,
                                         /*is_align_stack=*/false, mlir::LLVM::tailcallkind::TailCallKind::None,
                                         mlir::LLVM::AsmDialectAttr(), mlir::ArrayAttr())
      .getResult(0);
}

// Statements through which the registers `kept` ($0, ...; f32 or i32) go: what is computed from them before stays
// before, what uses them after stays after. `read` come behind them, from $(2 n) on.
inline void through(mlir::OpBuilder &b, mlir::Location loc, const std::string &text,
                    llvm::MutableArrayRef<mlir::Value> kept, mlir::ValueRange read = {},
                    const std::string &constraints = "") {
  if (kept.empty())
    return statement(b, loc, text, read, constraints);
  std::string all, tied;
  mlir::SmallVector<mlir::Type> types;
  mlir::SmallVector<mlir::Value> operands(kept.begin(), kept.end());
  for (auto [i, value] : llvm::enumerate(kept)) {
    all += value.getType().isF32() ? "=f," : "=r,";
    tied += std::to_string(i) + ",";
    types.push_back(value.getType());
  }
  llvm::append_range(operands, read);
  all += tied + constraints + (constraints.empty() ? "" : ",") + "~{memory}";
  mlir::Type result =
      kept.size() == 1 ? types.front() : mlir::Type(mlir::LLVM::LLVMStructType::getLiteral(b.getContext(), types));
  mlir::Value made =
      mlir::LLVM::InlineAsmOp::create(b, loc, result, operands, text, all, /*has_side_effects=*/true,
                                      /*is_align_stack=*/false, mlir::LLVM::tailcallkind::TailCallKind::None,
                                      mlir::LLVM::AsmDialectAttr(), mlir::ArrayAttr())
          .getResult(0);
  for (auto [i, value] : llvm::enumerate(kept))
    value = kept.size() == 1 ? made : mlir::LLVM::ExtractValueOp::create(b, loc, made, int64_t(i)).getResult();
}

} // namespace tessera::gpu
