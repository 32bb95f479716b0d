// Loading PTX: parsing, placing variables, decoding every kernel, so that what is not understood is refused here.
#include "runtime/vgpu/driver/ptxas.h"
#include "runtime/vgpu/driver/state.h"
#include "runtime/vgpu/ptx/parser.h"
#include <cstring>

namespace tessera::vgpu::driver {
namespace {

// The compute capability of "sm_90a" times ten; 0 when it cannot be read.
uint32_t archOf(std::string_view target, bool &specific) {
  size_t at = target.find('_');
  uint32_t value = 0;
  for (char c : target.substr(at == target.npos ? target.size() : at + 1))
    if (c >= '0' && c <= '9')
      value = value * 10 + uint32_t(c - '0');
  specific = target.ends_with('a');
  return value;
}

CUresult placeVariables(ModuleObject &m, Memory &memory, std::string &log) {
  for (const ptx::Variable &v : m.ptx.variables) {
    if (v.space == ptx::Space::shared)
      continue;
    if (v.linkage == "extern") {
      log = "line " + std::to_string(v.line) + ": the external variable " + v.name + " is not defined";
      return INVALID_PTX;
    }
    uint64_t address = memory.allocate(std::max<uint64_t>(v.size, 1));
    if (!address)
      return OUT_OF_MEMORY;
    m.allocations.push_back(address);
    m.symbols[v.name] = address;
    m.sizes[v.name] = v.size;
  }
  for (const ptx::Variable &v : m.ptx.variables) {
    auto found = m.symbols.find(v.name);
    if (found == m.symbols.end())
      continue;
    auto *bytes = reinterpret_cast<uint8_t *>(found->second);
    std::memset(bytes, 0, v.size);
    if (!v.init.empty())
      std::memcpy(bytes, v.init.data(), std::min<uint64_t>(v.init.size(), v.size));
    for (const ptx::Relocation &r : v.relocations) {
      auto symbol = m.symbols.find(r.symbol);
      const ptx::Function *function = m.ptx.function(r.symbol);
      if ((symbol == m.symbols.end() && !function) || r.offset + r.bytes > v.size) {
        log = "line " + std::to_string(v.line) + ": the initialiser of " + v.name + " names " + r.symbol +
              ", which has no address";
        return INVALID_PTX;
      }
      uint64_t value = symbol != m.symbols.end()
                           ? symbol->second
                           : functionWindow + uint64_t(function - m.ptx.functions.data()) * functionStride;
      value += uint64_t(r.addend);
      std::memcpy(bytes + r.offset, &value, r.bytes);
    }
    Allocation *a = memory.find(found->second);
    a->readOnly = v.space == ptx::Space::constant;
    if (a->written)
      std::memset(a->written.get(), 1, a->size);
  }
  return SUCCESS;
}
} // namespace

CUresult loadModule(CUcontext context, std::string_view text, ModuleObject *&module, std::string &log) {
  auto made = std::make_unique<ModuleObject>();
  made->context = context;
  auto parsed = ptx::parse(text);
  if (!parsed) {
    log = "ptxas-style error: " + parsed.error().message;
    return parsed.error().message.find("is newer than") != std::string::npos ? UNSUPPORTED_PTX_VERSION : INVALID_PTX;
  }
  made->ptx = std::move(*parsed);
  bool specific = false;
  uint32_t arch = archOf(made->ptx.target, specific), chip = context->device->chip->arch;
  if (arch == 0 || arch > chip || (specific && arch != chip)) {
    log = "the module is for " + made->ptx.target + ", the virtual device is sm_" + std::to_string(chip);
    return NO_BINARY_FOR_GPU;
  }
  Memory &memory = *context->device->memory;
  CUresult placed = placeVariables(*made, memory, log);
  auto undo = [&](CUresult code) {
    for (uint64_t a : made->allocations)
      memory.release(a);
    return code;
  };
  if (placed != SUCCESS)
    return undo(placed);
  for (const ptx::Function &f : made->ptx.functions) {
    if (!f.entry || f.declaration)
      continue;
    auto program = decodeKernel(made->ptx, f, made->symbols, chip);
    if (!program) {
      log = program.error().message;
      return undo(INVALID_PTX);
    }
    FunctionObject &function = made->functions.emplace_back();
    function.module = made.get();
    function.program = std::move(*program);
  }
  if (state().options.askAssembler && !made->functions.empty()) {
    const auto known = assembled(text, "sm_" + std::to_string(chip) + (specific ? "a" : ""));
    for (FunctionObject &f : made->functions)
      if (const auto found = known.find(f.program->name); found != known.end()) {
        Resources &r = f.program->resources;
        r.registers = found->second.registers;
        r.spillBytes = found->second.spillBytes;
        r.stackBytes = found->second.stackBytes;
        r.from = "ptxas";
      }
  }
  for (FunctionObject &f : made->functions) {
    // The module was moved into its object before it was decoded, so the pointers in the programs stay.
    born(&f, functionKind);
  }
  born(made.get(), moduleKind);
  module = made.release();
  return SUCCESS;
}

} // namespace tessera::vgpu::driver
