// Exact registers, spills and stack of kernels from the vendor's assembler, where one is on PATH.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace tessera::vgpu::driver {

struct Assembled {
  uint32_t registers = 0, stackBytes = 0, spillBytes = 0;
};

// What `ptxas -v` says of each entry of the text, for "sm_80"; empty where there is no ptxas, where it refuses the
// text, or where it takes longer than half a minute. Answers are kept, in the process and in TESSERA_CACHE/ptxas (else
// ~/.cache/tessera/ptxas), under a hash of the text, the architecture and the assembler's version. The caller holds the
// driver's lock.
std::map<std::string, Assembled> assembled(std::string_view ptx, const std::string &arch);

// The entries in what `ptxas -v` printed.
std::map<std::string, Assembled> parseAssembled(std::string_view log);

} // namespace tessera::vgpu::driver
