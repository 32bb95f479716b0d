// Assembler: NVIDIA's ptxas program where this machine has one; it makes machine code (a cubin) of a kernel's PTX ahead
// of the launch and tells its registers. Nothing needs it: a driver compiles PTX itself.
#pragma once
#include "base/artifact.h"
#include "base/result.h"
#include "base/target.h"
#include <optional>
#include <string>

namespace tessera {

struct Assembler {
  std::string path;    // of the program
  std::string version; // "13.0.88": part of the cache key of what it made
  bool named = false;  // by the caller, who then wants to hear of its failures
};

// `wanted` names the program; "" looks on PATH, then in CUDA_HOME/bin, and passes over what does not answer as ptxas;
// "none" takes none. Nothing where there is none. Errors (invalidArgument): a named one that does not answer. The
// answer for a path is kept for the process's life. Thread-safe.
Result<std::optional<Assembler>> findAssembler(const std::string &wanted = "");

// Fills the artifact's cubin, for the target that it was compiled for, and the resources of its entries. The PTX stays,
// but for the bound of registers (.maxnreg) of an entry that spilled: it is raised, up to five times, where that spills
// less. Errors (device): the program fails, takes longer than a minute or writes something else than a cubin; the
// artifact is then as it was. Thread-safe.
Status assemble(const Assembler &assembler, const Target &target, Artifact &artifact);

// What `ptxas -v` printed about one entry; nothing where it printed nothing of it.
std::optional<ResourceReport> parseResources(std::string_view log, std::string_view entry);

} // namespace tessera
