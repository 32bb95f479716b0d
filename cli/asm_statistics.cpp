#include "cli/asm_statistics.h"
#include <algorithm>
#include <array>
#include <bitset>
#include <cctype>

namespace tessera::cli {

namespace {
// An instruction belongs to the first kind of which it has a prefix.
struct Kind {
  std::string_view name;
  std::vector<std::string_view> prefixes;
};

const std::vector<Kind> &kinds() {
  static const std::vector<Kind> rows = {
      {"fma", {"vfmadd", "vfnmadd", "vfmsub", "vfnmsub"}},
      {"integer_dot", {"vpdpbusd", "vpdpwssd", "vpmaddubsw", "vpmaddwd", "pmaddubsw", "pmaddwd", "vdpbf16ps"}},
      {"convert", {"vcvt", "cvt", "vpmovzx", "vpmovsx", "pmovzx", "pmovsx"}},
      {"shuffle",
       {"vperm", "vpshuf", "vpunpck", "vshuf", "vbroadcast", "vpbroadcast", "vinsert", "vextract", "pshuf", "punpck",
        "shufps", "unpck", "vunpck"}},
      {"gather", {"vgather", "vpgather"}},
      {"branch", {"j"}},
      {"call", {"call"}},
  };
  return rows;
}

// Distinct register numbers after xmm, ymm or zmm.
void noteRegisters(std::string_view line, std::bitset<32> &used) {
  for (size_t at = 0; (at = line.find("mm", at)) != std::string_view::npos; at += 2) {
    if (at == 0 || std::string_view("xyz").find(line[at - 1]) == std::string_view::npos)
      continue;
    size_t number = 0, digits = 0;
    while (at + 2 + digits < line.size() && std::isdigit(uint8_t(line[at + 2 + digits])))
      number = number * 10 + size_t(line[at + 2 + digits++] - '0');
    if (digits > 0 && number < used.size())
      used.set(number);
  }
}

// A vector move between memory and a register; the last operand is the destination in AT&T syntax.
std::string_view memoryKind(std::string_view mnemonic, std::string_view operands) {
  if (!mnemonic.starts_with("vmov") && !mnemonic.starts_with("mov"))
    return {};
  if (operands.find("mm") == std::string_view::npos)
    return {};
  size_t parenthesis = operands.find('(');
  if (parenthesis == std::string_view::npos)
    return {};
  return operands.rfind(')') + 1 >= operands.size() ? "vector_store" : "vector_load";
}
} // namespace

AsmStatistics countInstructions(std::string_view text) {
  AsmStatistics result;
  constexpr std::array order = {"total",   "fma",     "integer_dot", "vector_load", "vector_store",
                                "shuffle", "convert", "gather",      "branch",      "call"};
  for (const char *kind : order)
    result.counts.emplace_back(kind, 0);
  auto count = [&](std::string_view kind) {
    for (auto &[name, value] : result.counts)
      value += name == kind;
  };
  std::bitset<32> used;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.size() < 2 || line[0] != '\t' || !std::isalpha(uint8_t(line[1])))
      continue;
    line = line.substr(1, line.find('#') - 1);
    while (!line.empty() && std::isspace(uint8_t(line.back())))
      line.remove_suffix(1);
    std::string_view mnemonic = line.substr(0, line.find('\t'));
    std::string_view operands = line.substr(mnemonic.size());
    count("total");
    noteRegisters(operands, used);
    if (std::string_view kind = memoryKind(mnemonic, operands); !kind.empty()) {
      count(kind);
      continue;
    }
    for (const Kind &kind : kinds())
      if (std::ranges::any_of(kind.prefixes, [&](std::string_view prefix) { return mnemonic.starts_with(prefix); })) {
        count(kind.name);
        break;
      }
  }
  result.vectorRegisters = int(used.count());
  return result;
}

// "ld.global.nc.v4.b32" moves 4 x 4 bytes.
static bool movesSixteen(std::string_view mnemonic) {
  int64_t count = mnemonic.find(".v4") != mnemonic.npos ? 4 : mnemonic.find(".v2") != mnemonic.npos ? 2 : 1;
  size_t digits = mnemonic.find_last_not_of("0123456789") + 1;
  int64_t bits = 0;
  for (char digit : mnemonic.substr(digits))
    bits = bits * 10 + (digit - '0');
  return count * bits == 128;
}

static std::string_view ptxKind(std::string_view mnemonic) {
  static const std::vector<Kind> rows = {
      {"mma", {"mma.", "wgmma.mma_async"}},
      {"fma", {"fma.", "mad.", "dp4a."}},
      {"load_matrix", {"ldmatrix."}},
      {"async_copy", {"cp.async.ca", "cp.async.cg", "cp.async.bulk.tensor", "cp.async.bulk.shared"}},
      {"global_load", {"ld.global"}},
      {"global_store", {"st.global", "red.global", "atom.global"}},
      {"shared", {"ld.shared", "st.shared", "stmatrix."}},
      {"barrier", {"bar.", "barrier.", "mbarrier."}},
      {"shuffle", {"shfl."}},
      {"convert", {"cvt."}},
      {"branch", {"bra"}},
  };
  for (const Kind &kind : rows)
    if (std::ranges::any_of(kind.prefixes, [&](std::string_view prefix) { return mnemonic.starts_with(prefix); }))
      return kind.name;
  return {};
}

std::vector<std::pair<std::string, int64_t>> countPtx(std::string_view text, std::string_view entry) {
  std::vector<std::pair<std::string, int64_t>> counts;
  for (const char *kind : {"total", "mma", "fma", "load_matrix", "async_copy", "global_load_16", "global_load",
                           "global_store_16", "global_store", "shared", "barrier", "shuffle", "convert", "branch"})
    counts.emplace_back(kind, 0);
  auto count = [&](std::string_view kind) {
    for (auto &[name, value] : counts)
      value += name == kind;
  };
  size_t begin = text.find(".entry " + std::string(entry) + "(");
  begin = begin == text.npos ? text.size() : text.find("\n{", begin);
  text = text.substr(std::min(begin, text.size()));
  text = text.substr(0, text.find("\n}"));
  while (!text.empty()) {
    // Statements end with a semicolon, of which inline assembly writes several to a line; labels and directives end
    // with the line.
    std::string_view line = text.substr(0, text.find_first_of("\n;"));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
    if (line.starts_with('@'))
      line.remove_prefix(std::min(line.size(), line.find_first_of(" \t") + 1));
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(" \t")));
    if (line.empty() || !std::islower(uint8_t(line[0])))
      continue; // a label, a directive or a comment
    std::string_view mnemonic = line.substr(0, line.find_first_of(" \t;")), kind = ptxKind(mnemonic);
    count("total");
    if ((kind == "global_load" || kind == "global_store") && movesSixteen(mnemonic))
      count(std::string(kind) + "_16");
    else if (!kind.empty())
      count(kind);
  }
  return counts;
}

} // namespace tessera::cli
