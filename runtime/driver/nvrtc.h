// Kernels written by hand in CUDA C++: NVIDIA's run-time compiler, where this machine has it, makes an artifact of them
// that loads, launches and is recorded in graphs like a compiled one.
#pragma once
#include "base/artifact.h"
#include "base/result.h"
#include "base/target.h"
#include <string>
#include <vector>

namespace tessera::driver {

// The kernel is `extern "C" __global__ void NAME(...)` with NAME = signature.name and the parameters of
// base/artifact.h: a `long long` for each dim, then a pointer or the scalar for each argument, in the signature's
// order. The grid is the signature's: its last axis is blockIdx.x.
struct CudaSource {
  Signature signature;
  std::string text;
  std::string file = "kernel.cu"; // what messages and the code's lines call the text
  BlockShape block = {};
  std::vector<std::string> options = {}; // more of NVRTC's, e.g. "-DROWS=4"
};

// PTX for the target's architecture, with lines. Finds libnvrtc by the loader, then in CUDA_HOME/lib64 and
// /usr/local/cuda/lib64; the toolkit's headers are on the include path where they lie beside it. Errors: no such
// library (unsupported); mistakes in the text (invalidArgument, with NVRTC's log). Thread-safe.
Result<Artifact> compileCuda(const CudaSource &source, const Target &target);

} // namespace tessera::driver
