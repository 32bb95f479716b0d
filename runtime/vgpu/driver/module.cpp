// Loading PTX: parsing, placing variables, decoding every kernel, so that what is not understood is refused here.
#include "runtime/vgpu/driver/image.h"
#include "runtime/vgpu/driver/ptxas.h"
#include "runtime/vgpu/driver/state.h"
#include "runtime/vgpu/ptx/parser.h"
#include <cstring>

namespace tessera::vgpu::driver {
namespace {

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
    auto *bytes = reinterpret_cast<uint8_t *>(found->second); // zeros: no allocation has held these pages
    if (!v.init.empty())
      std::memcpy(bytes, v.init.data(), std::min<uint64_t>(v.init.size(), v.size));
    for (const ptx::Relocation &r : v.relocations) {
      auto symbol = m.symbols.find(r.symbol);
      const ptx::Function *function = m.ptx.function(r.symbol);
      if ((symbol == m.symbols.end() && !function) || r.bytes > sizeof(uint64_t) || r.offset > v.size ||
          r.bytes > v.size - r.offset) {
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
    // The text was moved into its object before it was decoded, so the pointers in the programs stay.
    FunctionObject &function = *made->functions.emplace_back(std::make_unique<FunctionObject>());
    function.module = made.get();
    function.program = std::move(*program);
  }
  if (state().options.askAssembler && !made->functions.empty()) {
    const auto known = assembled(text, "sm_" + std::to_string(chip) + (specific ? "a" : ""));
    for (auto &f : made->functions)
      if (const auto found = known.find(f->program->name); found != known.end()) {
        Resources &r = f->program->resources;
        r.registers = found->second.registers;
        r.spillBytes = found->second.spillBytes;
        r.stackBytes = found->second.stackBytes;
        r.from = "ptxas";
      }
  }
  for (auto &f : made->functions)
    born(f.get(), functionKind);
  born(made.get(), moduleKind);
  module = made.release();
  return SUCCESS;
}

CUresult entriesOf(std::string_view text, std::vector<std::string> &names, std::string &log) {
  auto parsed = ptx::parse(text);
  if (!parsed) {
    log = "ptxas-style error: " + parsed.error().message;
    return parsed.error().message.find("is newer than") != std::string::npos ? UNSUPPORTED_PTX_VERSION : INVALID_PTX;
  }
  for (const ptx::Function &f : parsed->functions)
    if (f.entry && !f.declaration)
      names.push_back(f.name);
  return SUCCESS;
}

CUresult loadImage(CUcontext context, const void *image, size_t size, ModuleObject *&module, std::string &log) {
  Image read = readImage(image, size, context->device->chip->arch);
  CUresult result = read.result;
  log = read.message;
  if (result == SUCCESS)
    result = loadModule(context, read.text, module, log);
  return result;
}

void unloadModule(ModuleObject *module) {
  for (auto &f : module->functions)
    died(f.get());
  for (uint64_t a : module->allocations)
    module->context->device->memory->release(a);
  died(module);
  delete module;
}

FunctionObject *functionNamed(ModuleObject &module, std::string_view name) {
  for (auto &f : module.functions)
    if (f->program->name == name)
      return f.get();
  return nullptr;
}

CUresult JitLogs::read(unsigned count, const int *options, void **values) {
  if (count && (!options || !values))
    return INVALID_VALUE;
  for (unsigned i = 0; i < count; ++i) {
    const int option = options[i];
    if (option < 0 || option > 35)
      return INVALID_VALUE;
    if (option == 3 || option == 5) // the buffers of information and errors, 4 and 6 their sizes
      buffer[option / 4] = static_cast<char *>(values[i]);
    if (option == 4 || option == 6) {
      size[option == 6] = reinterpret_cast<uintptr_t>(values[i]) & 0xffffffff;
      sizeSlot[option == 6] = &values[i];
    }
  }
  return SUCCESS;
}

void JitLogs::write(const std::string &error) {
  for (int which : {0, 1}) {
    const std::string text = which ? error : std::string();
    size_t n = 0;
    if (buffer[which] && size[which]) {
      n = std::min(size[which] - 1, text.size());
      std::memcpy(buffer[which], text.data(), n);
      buffer[which][n] = 0;
    }
    if (sizeSlot[which])
      *sizeSlot[which] = reinterpret_cast<void *>(n ? n + 1 : 0);
  }
}

} // namespace tessera::vgpu::driver
