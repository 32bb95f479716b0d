// Reads PTX (ISA 6.0 to 9.0) into a Module; refuses what it does not understand, naming the line.
#pragma once
#include "base/result.h"
#include "runtime/vgpu/ptx/module.h"

namespace tessera::vgpu::ptx {

// A module from PTX text. Errors (invalidArgument) begin with "line N:". Safe on hostile input; thread-safe.
Result<Module> parse(std::string_view text);

// PTX text that parses to an equal module: for tests and for looking at one.
std::string print(const Module &module);
std::string print(const Module &module, const Function &function, const Instruction &instruction);

} // namespace tessera::vgpu::ptx
