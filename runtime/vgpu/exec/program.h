// A kernel decoded for execution: flat operations with resolved operands, ready for 32 lanes at a time.
#pragma once
#include "runtime/vgpu/ptx/module.h"
#include <array>
#include <memory>
#include <string>
#include <vector>

namespace tessera::vgpu {

struct Warp;
struct Op;
using Run = void (*)(Warp &, const Op &);

inline constexpr uint32_t lanes = 32;
inline constexpr uint32_t allLanes = ~0u;
inline constexpr uint32_t constantBank = 1u << 31; // of a plane reference
inline constexpr uint32_t nowhere = ~0u;

// What an instruction keeps busy: for counters and the time model.
enum class Pipe : uint8_t {
  alu,
  fma,
  half,
  wide,
  special,
  convert,
  control,
  shared,
  global,
  local,
  atomic,
  tensor,
  sync,
  none
};

// Where a generic address points when it is not global memory; low 32 bits are the address in the space itself.
inline constexpr uint64_t sharedWindow = 0xF0ull << 32;
inline constexpr uint64_t localWindow = 0xF1ull << 32;
inline constexpr uint64_t paramWindow = 0xF2ull << 32;
// Addresses of functions: their number in the module times the stride.
inline constexpr uint64_t functionWindow = 0xF3ull << 32;
inline constexpr uint32_t functionStride = 16;
// A shared::cluster address: block rank + 1 in the top byte, 0 for the block's own memory.
inline constexpr uint32_t clusterShift = 24;

// Operands are planes: byte offsets into the warp's registers (or, with constantBank, the kernel's constants) of 32
// lanes of 4 bytes (8 for 64-bit types).
struct Op {
  Run run = nullptr;
  uint32_t d = 0, a = 0, b = 0, c = 0;
  int32_t guard = -1; // predicate
  bool guardNegated = false;
  bool whole = false; // runs with an empty mask too (control flow, collectives)
  Pipe pipe = Pipe::alu;
  uint8_t bytes = 4;           // of one element in memory
  uint8_t count = 1;           // elements of a vector
  uint8_t flag = 0, flag2 = 0; // meaning is the family's
  uint32_t x = 0, y = 0;       // meaning is the family's: branch target and join, predicate, ...
  int64_t imm = 0;             // address offset, immediate
  std::vector<uint32_t> more;  // further planes
  uint32_t source = 0;         // index into Program::sources
};

struct Source {
  uint32_t line = 0; // of the PTX text
  int32_t loc = -1;  // Module::locations: the last one with a line
  int32_t function = 0, instruction = 0;
};

// Special registers that a warp keeps as planes.
enum class Special : uint8_t {
  tidX,
  tidY,
  tidZ,
  ntidX,
  ntidY,
  ntidZ,
  ctaidX,
  ctaidY,
  ctaidZ,
  nctaidX,
  nctaidY,
  nctaidZ,
  laneid,
  warpid,
  nwarpid,
  smid,
  nsmid,
  gridid,
  lanemaskEq,
  lanemaskLe,
  lanemaskLt,
  lanemaskGe,
  lanemaskGt,
  clusteridX,
  clusteridY,
  clusteridZ,
  nclusteridX,
  nclusteridY,
  nclusteridZ,
  clusterCtaidX,
  clusterCtaidY,
  clusterCtaidZ,
  clusterNctaidX,
  clusterNctaidY,
  clusterNctaidZ,
  clusterCtarank,
  clusterNctarank,
  isExplicitCluster,
  dynamicSmem,
  totalSmem,
  envreg1,
  envreg2,
  zero,
  count
};

struct Parameter {
  uint32_t offset = 0, size = 0;
};

// What a thread of the kernel takes from the SM.
struct Resources {
  uint32_t registers = 16;            // 32-bit, as they are allocated
  uint32_t spillBytes = 0;            // of local memory, for values that found no register
  uint32_t stackBytes = 0;            // of local memory in all: the kernel's own, calls, spills
  std::string_view from = "liveness"; // who counted: "liveness" or "ptxas"
  uint32_t live = 0, predicates = 0;  // most values that live at once, by liveness: 32-bit units, predicates
  uint32_t peakLine = 0;              // of the PTX text, where that is
};

// Registers that wgmma names, for the checker (register_guard.cpp): what an operation does with them, by number.
struct RegisterGuard {
  Run run = nullptr;                             // of the guarded operation
  bool move = false;                             // a plain copy: touched[0] becomes what touched[1] is
  std::vector<uint32_t> touched;                 // by another operation
  std::vector<uint32_t> accumulators, fragments; // of a wgmma
};

// A function that may be entered while it runs, or is called by its address.
struct Activation {
  uint32_t entryPoint = nowhere, frameBytes = 0, signature = 0;
  std::vector<std::pair<uint32_t, bool>> planes; // of its registers, and whether they are of 64 bits
  std::vector<uint32_t> predicates;
};

struct Program {
  std::string name;
  const ptx::Module *module = nullptr;
  const ptx::Function *function = nullptr;
  std::vector<Op> code;
  std::vector<Source> sources;
  std::vector<uint32_t> constants; // planes, 32 words (64 for 64-bit) each
  uint32_t registerBytes = 0;      // of a warp's planes
  uint32_t predicates = 1;
  std::vector<std::pair<Special, uint32_t>> specials; // plane of each one used
  std::vector<Parameter> parameters;
  uint32_t parameterBytes = 0;
  uint32_t sharedBytes = 0; // static
  uint32_t dynamicSharedOffset = 0;
  std::vector<Activation> activations;
  std::vector<uint32_t> callable; // by a function's number in the module: its activation, or nowhere
  uint32_t stackBase = 0;         // in local memory: where frames of activations begin
  uint32_t localBytes = 0;        // per lane: .local, and .param of called functions
  Resources resources;
  bool usesAtomics = false; // results may depend on the order of blocks
  bool usesClusters = false;
  uint32_t guardedRegisters = 0;
  std::vector<uint32_t> guardAt;     // by operation: index into guards, 0 for none; empty without wgmma
  std::vector<RegisterGuard> guards; // [0] is not used
};

} // namespace tessera::vgpu
