// The only door to the compiler: a traced program and a chip go in, an artifact comes out.
#pragma once
#include "base/artifact.h"
#include "base/result.h"
#include "base/target.h"
#include "compiler/program.h"
#include <string>
#include <vector>

namespace tessera {

// How a kernel is laid on a chip; never changes its result. Printable and hashable through text().
struct Schedule {
  bool splitEdges = true; // a separate unmasked body for interior programs
  bool peelLoops = true;  // a separate unmasked body for whole loop steps
  int warps = 0;          // warps a block on a GPU; 0: as the kernel's tiles suggest
  int stages = 0;         // steps of a dot's loop in shared memory at once on a GPU; 0: the target's; 1: no pipelining
  int raster = 0;         // rows of a product's tiles that a GPU's programs walk together; 0: the target's; 1: none
  int persistent = 0;     // blocks a multiprocessor of a GPU that take all programs; 0: a block for each program
  std::string text() const;
};

// One fact for the user about how a line was compiled.
struct Remark {
  std::string file;
  int line = 0;
  std::string text;
  bool operator==(const Remark &) const = default;
};

struct StageTime {
  std::string stage;
  double ms = 0;
};

// Filled by compile() where the caller asks for it.
struct CompileReport {
  std::vector<StageTime> stages;
  std::vector<Remark> remarks;
  std::vector<std::pair<std::string, std::string>> dumps; // stage name -> text, for the stages named in `keep`
  std::vector<std::string> keep;                          // any of tile, layout, llvm, asm
};

// Compiles `program` for `target`. Deterministic: equal inputs give equal bytes in every process, directory and
// thread. Thread-safe. Errors name the user's file and line. Dumps stages to files as TESSERA_DUMP asks.
Result<Artifact> compile(const Program &program, const Target &target, const Schedule &schedule = {},
                         CompileReport *report = nullptr);

// Identifies this compiler's code generation; part of every cache key.
std::string_view compilerVersion();

// hash(IR text, schedule, target, compiler version), as 32 hexadecimal digits. For a GPU the text's source lines count
// too, since its code names them; `assembler` is the version of the ptxas that adds its code (compiler/assembler.h).
std::string cacheKey(const Program &program, const Target &target, const Schedule &schedule = {},
                     std::string_view assembler = {});

} // namespace tessera
