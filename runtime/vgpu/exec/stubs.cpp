#include "runtime/vgpu/exec/families.h"
namespace tessera::vgpu {
void addMatrixMoveOps(OpTable &) {}
void addMatrixOps(OpTable &) {}
void addWmmaOps(OpTable &) {}
void addAsyncOps(OpTable &) {}
void addMbarrierOps(OpTable &) {}
void addBulkOps(OpTable &) {}
void addWgmmaOps(OpTable &) {}
} // namespace tessera::vgpu
