// What the lowering of a GPU kernel has to say of its accesses and layouts, in the words of a remark.
#pragma once
#include "compiler/layout/layout.h"
#include "compiler/layout/swizzle.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include <string>

namespace tessera::gpu {

// Why an access moves `vector` elements at once and not 16 bytes: "rows are known to be aligned to 4 bytes", ...; empty
// where it moves 16 bytes, or all that a thread has.
std::string widthLimit(mlir::Operation *access, const Layout &layout, int64_t vector);

// How often a bank of shared memory is met at worst when a warp moves `bytes` at once: lanes go in groups of 128 bytes,
// and those that name the same 4-byte word meet once. `offset` is a lane's byte offset. 1 is free of conflicts. Source:
// CUDA C++ Programming Guide, "Shared Memory" of compute capability 5.x and up.
int bankConflicts(int64_t bytes, llvm::function_ref<int64_t(int lane)> offset);

// "2 x 4 warps of 64 x 32": how warps share a tile of rank 2; of other ranks "4 warps".
std::string warpsText(const Layout &layout);

} // namespace tessera::gpu
