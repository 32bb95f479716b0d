// CudaLibrary: a libcuda in the process, the vendor's or the virtual one, opened by dlopen and never closed.
#pragma once
#include "base/result.h"
#include "runtime/driver/cuda_api.h"
#include <string>
#include <vector>

namespace tessera::driver {

// Immutable once open, so thread-safe as far as the driver is.
struct CudaLibrary {
  CudaApi api = {};
  std::string path; // as it was given to dlopen
  bool isVirtual() const { return api.vgpuChips != nullptr; }
};

// The machine's libcuda.so.1, initialised. Errors (device): there is none, it is too old, it finds no device.
Result<const CudaLibrary *> realCuda();

// libtessera-vcuda.so: what TESSERA_VGPU_LIBRARY names, else the one in the lib folder beside the program or this
// library, else the loader's. Not initialised: its chips are opened by name. A real libcuda stays what it is: each has
// a handle of its own, and nothing is put into the environment.
Result<const CudaLibrary *> virtualCuda();

// One chip of the virtual driver, as its table tells.
struct VirtualChip {
  std::string id, name; // "a100", "NVIDIA A100-SXM4-40GB"
  int arch = 0;         // compute capability times ten
  int multiprocessors = 0;
  int64_t memoryBytes = 0, sharedBytes = 0; // shared: the most that a block can have
};
std::vector<VirtualChip> virtualChips(const CudaLibrary &library);

// Compute capability times ten, of an initialised driver's device.
int capability(const CudaApi &api, CuDevice device);

} // namespace tessera::driver
