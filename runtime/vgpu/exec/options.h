// How the virtual GPU runs kernels; read from the environment by the driver.
#pragma once
#include <cstdint>

namespace tessera::vgpu {

// How matrix instructions sum: tensor_sum.h.
enum class TensorModel : uint8_t { ieeeFma, exactThenRound, truncate };

struct Options {
  bool checkBounds = true;
  bool checkShared = true;      // races and uninitialised reads of shared memory
  bool checkGlobalInit = false; // uninitialised reads of global memory
  bool randomSchedule = false;
  TensorModel tensorModel = TensorModel::ieeeFma;
  uint64_t seed = 0;
  bool askAssembler = true;    // registers from ptxas where one is on PATH; from liveness otherwise
  uint32_t threads = 0;        // workers; 0: one a processor
  uint64_t slice = 2000;       // warp instructions before another warp gets its turn
  uint64_t limit = 1ull << 36; // warp instructions of a gang before it counts as hung
};

// TESSERA_VGPU_CHECK=off|bounds|all, TESSERA_VGPU_SCHEDULE=random:SEED, TESSERA_VGPU_THREADS=N,
// TESSERA_VGPU_LIMIT=warp instructions of a block, TESSERA_VGPU_REGISTERS=liveness (never asks ptxas),
// TESSERA_VGPU_TC_MODEL=ieee_fma|exact_then_round|truncate.
Options optionsFromEnvironment();

} // namespace tessera::vgpu
