// Artifact: one compiled kernel as bytes, with all that a launch needs to know about it.
#pragma once
#include "base/dtype.h"
#include <array>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace tessera {

// A symbolic size (an index into Signature::dims) or a constant.
struct Extent {
  int dim = -1;      // index into dims, or -1
  int64_t value = 0; // the size where dim < 0
  bool operator==(const Extent &) const = default;
};

enum class ArgKind : uint8_t { in, out, inOut, scalar };

// One argument of a launch, in the order in which the kernel declared them.
struct ArgInfo {
  std::string name;
  ArgKind kind;
  DType dtype;
  std::vector<Extent> extents; // empty for a scalar; row-major, contiguous; packed formats: [rows, columns] in panels
  bool operator==(const ArgInfo &) const = default;
};

// One grid axis: ceil(extent / block) programs, or ceil(extent(dim) / block).
struct GridAxis {
  Extent extent;
  int64_t block = 1;
  bool operator==(const GridAxis &) const = default;
};

// A dim that stands for another one scaled, exactly: dims[dim] * over == dims[of] * times ("K/32", "d*2").
struct ScaledDim {
  int dim, of;
  int64_t times = 1, over = 1;
  bool operator==(const ScaledDim &) const = default;
};

// What a kernel takes and how many programs it launches. The first grid axis is the slowest.
struct Signature {
  std::string name;
  std::vector<std::string> dims; // names of the symbolic sizes, unified from the tensors at launch
  std::vector<int64_t> divisors; // per dim: the size must be a multiple of it (1 = any)
  std::vector<ArgInfo> args;
  std::vector<GridAxis> grid;
  std::vector<ScaledDim> scaled; // what a launch checks of dims that depend on each other
  bool operator==(const Signature &) const = default;
};

// What the compiler found out about the kernel's use of the chip.
struct ResourceReport {
  int64_t scratchBytes = 0; // stack frame: of the function on a CPU, of a thread on a GPU
  int64_t spillBytes = 0;   // on a CPU: of the frame, what the lowering did not ask for (saved registers included)
  int64_t registers = -1;   // a thread of a GPU; -1: nobody has told, and the rest is not known either
  int64_t sharedBytes = 0;  // a GPU's, that the code declares beside BlockShape::dynamicSharedBytes
  bool operator==(const ResourceReport &) const = default;
};

// How a GPU runs one program of the grid: as one block of threads. A CPU ignores it.
struct BlockShape {
  std::array<int64_t, 3> threads = {1, 1, 1}; // x, y, z; x is the fastest
  int64_t dynamicSharedBytes = 0;             // beside what the code declares
  // > 0: at most as many blocks a multiprocessor are launched, along x alone, and take all programs of the grid one
  // after another. 0: a block for each program.
  int64_t persistent = 0;
  bool operator==(const BlockShape &) const = default;
};

// A tensor as the chip's copy engine cuts boxes out of it for shared memory (TMA, sm_90): one 128-byte parameter of the
// aligned entry, after all others.
struct TensorMap {
  int64_t arg = 0;          // index into Signature::args
  std::vector<int64_t> box; // extents of a copy along each axis of the tensor
  int64_t swizzleBytes = 0; // rows of so many bytes have their 16-byte chunks permuted: 32, 64, 128; 0: none
  bool operator==(const TensorMap &) const = default;
};

// Immutable once made. CPU entry point: `void entry(const int64_t *args, int64_t begin, int64_t end)`, which runs the
// programs [begin, end) of the flattened grid; args holds first the dims, in order, then one slot per argument:
// a pointer for a tensor, the scalar's bits (zero-extended) for a scalar.
// GPU entry point: a kernel with one parameter a slot in that same order: an i64 for each dim, a pointer or the scalar
// for each argument. The last grid axis is x (blockIdx.x), the one before it y; all before share z, the last of them
// fastest.
struct Artifact {
  Signature signature;
  std::string target; // Target::name
  std::string entry;  // symbol
  std::string bytes;  // ELF object (cpu), PTX (nvidia), HSACO (amd)
  // Machine code of `bytes` for the target's arch, where NVIDIA's assembler was at hand; the PTX runs without it.
  std::string cubin;
  ResourceReport resources;
  BlockShape block;
  // A second kernel in the code, faster, for launches whose tensors all start at multiples of 16 bytes and whose dims
  // are multiples of these (one a dim, in order); empty where there is none.
  std::string alignedEntry;
  std::vector<int64_t> alignedDivisors;
  ResourceReport alignedResources;   // of alignedEntry
  std::vector<TensorMap> tensorMaps; // of alignedEntry
  int64_t alignedThreads = 0;        // of alignedEntry along x; 0: as in `block`
  bool operator==(const Artifact &) const = default;
};

} // namespace tessera
