// Each family of operations adds its opcodes to the table.
#pragma once
#include "runtime/vgpu/exec/decoder.h"

namespace tessera::vgpu {

void addIntegerOps(OpTable &table);
void addBitOps(OpTable &table);
void addFloatOps(OpTable &table);
void addHalfOps(OpTable &table);
void addCompareOps(OpTable &table);
void addConvertOps(OpTable &table);
void addMoveOps(OpTable &table);
void addMemoryOps(OpTable &table);
void addAtomicOps(OpTable &table);
void addControlOps(OpTable &table);
void addWarpOps(OpTable &table);
void addBarrierOps(OpTable &table);
void addMatrixMoveOps(OpTable &table);
void addMatrixOps(OpTable &table);
void addWmmaOps(OpTable &table);
void addAsyncOps(OpTable &table);
void addMbarrierOps(OpTable &table);
void addBulkOps(OpTable &table);
void addRemoteOps(OpTable &table);
void addWgmmaOps(OpTable &table);

// The run for a type out of a functor whose `f<T>` is the lane's arithmetic; null for other types.
template <template <class, class> class Runner, class F> Run forInteger(ptx::Type type) {
  using ptx::Type;
  switch (type) {
  case Type::u16:
  case Type::b16:
    return Runner<uint16_t, F>::run;
  case Type::u32:
  case Type::b32:
    return Runner<uint32_t, F>::run;
  case Type::u64:
  case Type::b64:
    return Runner<uint64_t, F>::run;
  case Type::s16:
    return Runner<int16_t, F>::run;
  case Type::s32:
    return Runner<int32_t, F>::run;
  case Type::s64:
    return Runner<int64_t, F>::run;
  default:
    return nullptr;
  }
}

template <template <class, class> class Runner, class F> Run forBits(ptx::Type type) {
  switch (info(type).bits) {
  case 16:
    return Runner<uint16_t, F>::run;
  case 32:
    return Runner<uint32_t, F>::run;
  case 64:
    return Runner<uint64_t, F>::run;
  default:
    return nullptr;
  }
}

} // namespace tessera::vgpu
