// From rows to PTX: declarations, operands out of 64-bit cells, the result into one.
#include "tests/vgpu/forms/forms.h"

namespace forms {
namespace {
// A register class for a kind of operand, and how a 64-bit cell becomes one.
struct Carrier {
  const char *type, *prefix;
};
Carrier carrier(Kind k) {
  switch (k) {
  case Kind::pred:
    return {".pred", "%vp"};
  case Kind::bits16:
  case Kind::half:
  case Kind::brain:
    return {".b16", "%vh"};
  case Kind::bits64:
    return {".b64", "%vq"};
  case Kind::single:
    return {".f32", "%vf"};
  case Kind::real:
    return {".f64", "%vd"};
  default:
    return {".b32", "%vr"};
  }
}
std::string fromCellText(Kind k, const std::string &reg, const std::string &cell) {
  switch (k) {
  case Kind::pred:
    return "setp.ne.u64 " + reg + ", " + cell + ", 0;\n";
  case Kind::bits16:
  case Kind::half:
  case Kind::brain:
    return "cvt.u16.u64 " + reg + ", " + cell + ";\n";
  case Kind::bits64:
    return "mov.b64 " + reg + ", " + cell + ";\n";
  case Kind::real:
    return "mov.b64 " + reg + ", " + cell + ";\n";
  case Kind::single:
    return "cvt.u32.u64 %z0, " + cell + ";\nmov.b32 " + reg + ", %z0;\n";
  default:
    return "cvt.u32.u64 " + reg + ", " + cell + ";\n";
  }
}
std::string toCellText(Kind k, const std::string &reg, const std::string &cell) {
  switch (k) {
  case Kind::pred:
    return "selp.u64 " + cell + ", 1, 0, " + reg + ";\n";
  case Kind::bits16:
  case Kind::half:
  case Kind::brain:
    return "cvt.u64.u16 " + cell + ", " + reg + ";\n";
  case Kind::bits64:
  case Kind::real:
    return "mov.b64 " + cell + ", " + reg + ";\n";
  case Kind::single:
    return "mov.b32 %z0, " + reg + ";\ncvt.u64.u32 " + cell + ", %z0;\n";
  default:
    return "cvt.u64.u32 " + cell + ", " + reg + ";\n";
  }
}
std::string header(int arch) {
  return ".version 8.7\n.target sm_" + std::to_string(arch) + (arch == 90 ? "a" : "") + "\n.address_size 64\n";
}
} // namespace

std::string moduleFor(const std::string &instructions, int arch) {
  return header(arch) +
         ".visible .entry k(.param .u64 p0, .param .align 64 .b8 p1[128])\n{\n.reg .pred %p<8>;\n.reg .b16 %h<32>;\n"
         ".reg .b32 %r<160>;\n.reg .f32 %f<160>;\n.reg .b64 %rd<32>;\n.reg .f64 %fd<48>;\n.shared .align 1024 .b8 "
         "sm[8192];\n" +
         instructions + "\nret;\n}\n";
}

std::string moduleFor(const Row &row, int arch) {
  std::string body = row.form, load, declare;
  auto replace = [&](const std::string &what, const std::string &with) {
    for (size_t at = 0; (at = body.find(what, at)) != body.npos; at += with.size())
      body.replace(at, what.size(), with);
  };
  constexpr const char *names[] = {"$a", "$b", "$c", "$e"};
  for (size_t i = 0; i < row.operands.size(); ++i) {
    Carrier c = carrier(row.operands[i]);
    std::string reg = c.prefix + std::to_string(i), cell = "%x" + std::to_string(i);
    load +=
        "ld.global.u64 " + cell + ", [%in+" + std::to_string(8 * i) + "];\n" + fromCellText(row.operands[i], reg, cell);
    replace(names[i], reg);
  }
  // The result: a wide register for a narrow one of .u8 and the like is chosen by the row's own type.
  std::string result = std::string(carrier(row.result).prefix) + "9";
  replace("$d", result);
  replace("$g", "%slot");
  replace("$s", "%sh");
  replace("$l", "%lo");
  return header(row.arch > arch ? arch : arch) +
         ".visible .entry k(.param .u64 pin, .param .u64 pout, .param .u64 pmem)\n{\n.reg .pred %vp<10>;\n.reg .b16 "
         "%vh<10>;\n.reg .b32 %vr<10>, %z<4>, %sh;\n.reg .b64 %vq<10>, %x<10>, %in, %out, %slot, %lo, %w;\n"
         ".reg .f32 %vf<10>;\n.reg .f64 %vd<10>;\n.shared .align 32 .b8 sm[8192];\n.local .align 16 .b8 lm[32];\n"
         "mov.u32 %z1, %tid.x;\nld.param.u64 %in, [pin];\nld.param.u64 %out, [pout];\nld.param.u64 %slot, [pmem];\n"
         "mov.u32 %z2, %ctaid.x;\nmad.lo.u32 %z2, %z2, 256, %z1;\nmad.wide.u32 %in, %z2, " +
         std::to_string(8 * std::max<size_t>(row.operands.size(), 1)) +
         ", %in;\nmad.wide.u32 %out, %z2, 8, %out;\nmad.wide.u32 %slot, %z1, 32, %slot;\nmov.u32 %sh, sm;\n"
         "mad.lo.u32 %sh, %z1, 32, %sh;\nmov.u64 %lo, lm;\n" +
         load + body + "\n" + toCellText(row.result, result, "%w") + "st.global.u64 [%out], %w;\nret;\n}\n";
}

const Table &allRows() {
  static const Table *table = [] {
    auto *made = new Table;
    integerRows(*made);
    logicRows(*made);
    floatRows(*made);
    halfRows(*made);
    compareRows(*made);
    moveRows(*made);
    convertRows(*made);
    memoryRows(*made);
    return made;
  }();
  return *table;
}

} // namespace forms
