// PTX text from a Module; blocks are flattened, so names that were hidden get their register's number.
#include "runtime/vgpu/ptx/parser.h"
#include <cinttypes>
#include <cstdio>

namespace tessera::vgpu::ptx {
namespace {

std::string hex(uint64_t value, int digits) {
  char text[32];
  std::snprintf(text, sizeof text, "%0*" PRIX64, digits, value);
  return text;
}

struct Printer {
  const Module &module;
  const Function *function = nullptr;
  std::string out;

  static std::string reg(int32_t index) { return "%v" + std::to_string(index); }
  static std::string local(int32_t index) { return "L__local" + std::to_string(index); }
  static std::string label(uint32_t index) { return "L__label" + std::to_string(index); }

  std::string text(const Operand &o) const {
    using Kind = Operand::Kind;
    auto joined = [&](std::string open, std::string_view between, std::string close) {
      std::string s = std::move(open);
      for (size_t i = 0; i < o.elements.size(); ++i)
        s += (i ? std::string(between) : std::string()) + text(o.elements[i]);
      return s + close;
    };
    switch (o.kind) {
    case Kind::reg:
      return (o.negated ? "!" : "") + reg(o.reg);
    case Kind::sink:
      return "_";
    case Kind::immediate:
      if (!o.real)
        return std::to_string(int64_t(o.bits));
      return o.single ? "0f" + hex(o.bits, 8) : "0d" + hex(o.bits, 16);
    case Kind::special:
      return std::string(o.name) + (o.component ? std::string(".") + o.component : "");
    case Kind::symbol:
      return (o.variable >= 0 ? local(o.variable) : std::string(o.name)) +
             (o.offset ? "+" + std::to_string(o.offset) : "");
    case Kind::vector:
      return joined("{", ", ", "}");
    case Kind::list:
      return joined("(", ", ", ")");
    case Kind::pair:
      return joined("", "|", "");
    case Kind::address: {
      std::string s = "[";
      if (o.reg >= 0)
        s += reg(o.reg);
      else if (o.variable >= 0)
        s += local(o.variable);
      else if (!o.name.empty())
        s += std::string(o.name);
      if (o.offset || s == "[")
        s += (s == "[" ? "" : "+") + std::to_string(o.offset);
      for (const Operand &e : o.elements)
        s += ", " + text(e);
      return s + "]";
    }
    }
    return {};
  }

  std::string text(const Instruction &i) const {
    std::string s;
    if (i.guard >= 0)
      s += std::string(i.guardNegated ? "@!" : "@") + reg(i.guard) + " ";
    s += i.opcode;
    for (std::string_view m : i.modifiers)
      s += "." + std::string(m);
    for (size_t n = 0; n < i.operands.size(); ++n) {
      s += n ? ", " : " ";
      s += i.opcode == "bra" ? label(uint32_t(i.operands[n].variable)) : text(i.operands[n]);
    }
    return s + ";";
  }

  void variable(const Variable &v, const std::string &name, std::string_view end) {
    if (!v.linkage.empty())
      out += "." + v.linkage + " ";
    out += "." + std::string(nameOf(v.space));
    if (v.space != Space::reg)
      out += " .align " + std::to_string(v.align);
    if (v.vector > 1)
      out += " .v" + std::to_string(v.vector);
    out += " ." + std::string(info(v.type).name) + (v.pointer ? " .ptr" : "") + " " + name;
    uint64_t element = uint64_t(bytesOf(v.type)) * v.vector;
    if (v.array)
      out += v.unsized ? "[]" : "[" + std::to_string(v.size / element) + "]";
    if (!v.init.empty())
      initialiser(v);
    out += end;
  }

  void initialiser(const Variable &v) {
    uint32_t bytes = bytesOf(v.type);
    out += v.array || v.vector > 1 ? " = {" : " = ";
    for (uint64_t at = 0, n = 0; at < v.init.size(); at += bytes) {
      if (at)
        out += ", ";
      if (n < v.relocations.size() && v.relocations[n].offset == at) {
        const Relocation &r = v.relocations[n++];
        out += (r.generic ? "generic(" + r.symbol + ")" : r.symbol) + (r.addend ? "+" + std::to_string(r.addend) : "");
        continue;
      }
      uint64_t bits = 0;
      for (uint32_t b = 0; b < bytes && at + b < v.init.size(); ++b)
        bits |= uint64_t(v.init[at + b]) << (8 * b);
      if (v.type == Type::f32)
        out += "0f" + hex(bits, 8);
      else if (v.type == Type::f64)
        out += "0d" + hex(bits, 16);
      else
        out += std::to_string(bits);
    }
    if (v.array || v.vector > 1)
      out += "}";
  }

  void list(const std::vector<Variable> &variables) {
    out += "(";
    for (size_t i = 0; i < variables.size(); ++i) {
      if (i)
        out += ", ";
      std::string name = variables[i].name;
      for (size_t r = 0; variables[i].space == Space::reg && r < function->registers.size(); ++r)
        if (function->registers[r].name == name) {
          name = reg(int32_t(r));
          break;
        }
      variable(variables[i], name, "");
    }
    out += ")";
  }

  void print(const Function &f) {
    function = &f;
    if (!f.linkage.empty())
      out += "." + f.linkage + " ";
    out += f.entry ? ".entry " : ".func ";
    if (!f.results.empty())
      list(f.results), out += " ";
    out += f.name;
    if (!f.parameters.empty() || !f.entry)
      list(f.parameters);
    auto three = [&](const char *word, const uint32_t *v) {
      if (v[0])
        out += std::string(" .") + word + " " + std::to_string(v[0]) + ", " + std::to_string(v[1]) + ", " +
               std::to_string(v[2]);
    };
    three("maxntid", f.maxThreads);
    three("reqntid", f.requiredThreads);
    three("reqnctapercluster", f.cluster);
    if (f.minBlocksPerSm)
      out += " .minnctapersm " + std::to_string(f.minBlocksPerSm);
    if (f.maxRegisters)
      out += " .maxnreg " + std::to_string(f.maxRegisters);
    if (f.declaration) {
      out += ";\n";
      return;
    }
    out += "\n{\n";
    size_t first = 0;
    for (const auto *l : {&f.results, &f.parameters})
      for (const Variable &v : *l)
        first += v.space == Space::reg;
    for (size_t i = first; i < f.registers.size(); ++i)
      out += ".reg ." + std::string(info(f.registers[i].type).name) + " " + reg(int32_t(i)) + ";\n";
    for (size_t i = 0; i < f.variables.size(); ++i)
      variable(f.variables[i], local(int32_t(i)), ";\n");
    for (const auto &[name, targets] : f.branchTargets) {
      out += name + ": .branchtargets ";
      for (size_t i = 0; i < targets.size(); ++i) {
        auto at = f.labels.find(targets[i]);
        out += (i ? ", " : "") + (at == f.labels.end() ? targets[i] : label(at->second));
      }
      out += ";\n";
    }
    for (const auto &[name, prototype] : f.prototypes) {
      out += name + ": .callprototype ";
      if (!prototype.results.empty())
        list(prototype.results), out += " ";
      out += "_ ";
      list(prototype.parameters);
      out += ";\n";
    }
    std::vector<bool> target(f.body.size() + 1);
    for (const auto &[name, index] : f.labels)
      target[index] = true;
    int32_t loc = -1;
    for (size_t i = 0; i <= f.body.size(); ++i) {
      if (target[i])
        out += label(uint32_t(i)) + ":\n";
      if (i == f.body.size())
        break;
      if (f.body[i].loc != loc && (loc = f.body[i].loc) >= 0) {
        const Location &l = module.locations[size_t(loc)];
        out += ".loc " + std::to_string(l.file) + " " + std::to_string(l.line) + " " + std::to_string(l.column) + "\n";
      }
      out += text(f.body[i]) + "\n";
    }
    out += "}\n";
  }
};
} // namespace

std::string print(const Module &module, const Function &function, const Instruction &instruction) {
  Printer printer{module, &function};
  std::string text = printer.text(instruction);
  // Show the source's register names rather than our numbers.
  std::string named;
  for (size_t at = 0; at < text.size();) {
    if (text.compare(at, 2, "%v") == 0) {
      size_t end = at + 2, index = 0;
      while (end < text.size() && text[end] >= '0' && text[end] <= '9')
        index = index * 10 + size_t(text[end++] - '0');
      if (index < function.registers.size())
        named += function.registers[index].name;
      at = end;
    } else {
      named += text[at++];
    }
  }
  return named;
}

std::string print(const Module &module) {
  Printer printer{module};
  printer.out = ".version " + std::to_string(module.versionMajor) + "." + std::to_string(module.versionMinor) +
                "\n.target " + module.target + "\n.address_size 64\n";
  for (const auto &[number, path] : module.files)
    printer.out += ".file " + std::to_string(number) + " \"" + path + "\"\n";
  for (const Variable &v : module.variables)
    printer.variable(v, v.name, ";\n");
  for (const Function &f : module.functions)
    printer.print(f);
  for (const auto &[name, function] : module.aliases)
    printer.out += ".alias " + name + ", " + function + ";\n";
  return printer.out;
}

} // namespace tessera::vgpu::ptx
