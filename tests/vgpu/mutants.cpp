#include "tests/vgpu/mutants.h"
#include <map>
#include <regex>
#include <sstream>

namespace {

// An instruction of one line: "\t@%p1 opcode.modifiers \toperands;".
struct Line {
  std::string guard, opcode, operands;
};

bool parse(const std::string &text, Line &line) {
  static const std::regex form(R"(^\s*(@!?%?\w+\s+)?([a-z][a-z0-9_]*(?:\.[A-Za-z0-9_:]+)*)\s*([^;]*);\s*$)");
  std::smatch m;
  if (!std::regex_match(text, m, form))
    return false;
  line = {m[1], m[2], m[3]};
  return true;
}

bool starts(const std::string &text, const char *with) { return text.rfind(with, 0) == 0; }
bool has(const std::string &text, const char *part) { return text.find(part) != text.npos; }

// The address operand "[base+offset]" moved by `by` bytes; empty when there is none.
std::string moved(const std::string &operands, size_t which, int by) {
  size_t at = 0, open = operands.find('[');
  for (; open != operands.npos && at < which; ++at)
    open = operands.find('[', open + 1);
  size_t close = open == operands.npos ? open : operands.find(']', open);
  if (close == operands.npos)
    return "";
  std::string inside = operands.substr(open + 1, close - open - 1);
  size_t plus = inside.find('+');
  long offset = plus == inside.npos ? 0 : std::stol(inside.substr(plus + 1));
  std::string base = inside.substr(0, plus);
  return operands.substr(0, open + 1) + base + "+" + std::to_string(offset + by) + operands.substr(close);
}

int bytesOf(const std::string &opcode) {
  int each = has(opcode, "64") ? 8 : has(opcode, "16") ? 2 : has(opcode, "8") && !has(opcode, "m8n8") ? 1 : 4;
  return each * (has(opcode, ".v2") ? 2 : has(opcode, ".v4") ? 4 : 1);
}

// One operand replaced by itself changed through an operation on a scratch register.
std::string through(const Line &l, size_t operand, const char *operation) {
  std::vector<std::string> parts;
  int depth = 0;
  parts.emplace_back();
  for (char c : l.operands) {
    depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    if (c == ',' && depth == 0)
      parts.emplace_back();
    else
      parts.back() += c;
  }
  if (operand >= parts.size())
    return "";
  std::string out = "{ .reg .b32 mutated; " + std::string(operation) + " mutated, ";
  std::string op(operation);
  size_t comma = op.find(' ');
  out = "{ .reg .b32 mutated; " + op.substr(0, comma) + " mutated, " + parts[operand] + ", " + op.substr(comma + 1) +
        "; " + l.guard + l.opcode + " ";
  for (size_t i = 0; i < parts.size(); ++i)
    out += (i ? ", " : "") + (i == operand ? std::string("mutated") : parts[i]);
  return out + "; }";
}

} // namespace

std::vector<std::string> splitLines(const std::string &text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

std::string mutated(const std::vector<std::string> &lines, const Mutant &mutant) {
  std::string text;
  for (size_t i = 0; i < lines.size(); ++i)
    text += (i + 1 == mutant.line ? mutant.after : lines[i]) + "\n";
  return text;
}

std::vector<Mutant> mutantsOf(const std::vector<std::string> &lines, const std::string &kernel) {
  std::vector<Mutant> list;
  std::map<std::string, size_t> numbers;
  bool inside = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string &text = lines[i];
    if (has(text, ".entry"))
      inside = has(text, (".entry " + kernel + "(").c_str());
    else if (has(text, ".func"))
      inside = false;
    Line l;
    // Inline PTX keeps several statements on a line where its author wrote them so; those are left alone.
    if (!inside || !parse(text, l))
      continue;
    const std::string &op = l.opcode;
    auto add = [&](const char *kind, const std::string &after) {
      if (!after.empty())
        list.push_back({kind, numbers[kind]++, i + 1, text, after});
    };
    const std::string nothing = " ";
    bool addressed = has(l.operands, "[");
    if (starts(op, "bar.") || starts(op, "barrier."))
      add("barrier deleted", nothing);
    if (has(op, "wait_group") || has(op, "wait_all"))
      add("wait deleted", nothing);
    if (starts(op, "mbarrier.try_wait") || starts(op, "mbarrier.test_wait"))
      add("wait deleted", "setp.eq.u32 " + l.operands.substr(0, l.operands.find(',')) + ", 0, 0;");
    if (starts(op, "fence") || starts(op, "membar") || op == "wgmma.fence.sync.aligned")
      add("fence deleted", nothing);
    if (has(op, "commit_group"))
      add("commit deleted", nothing);
    if (starts(op, "mbarrier.arrive") && has(op, "expect_tx")) {
      add("expect_tx deleted", nothing);
      add("expect_tx bytes", through(l, 2, "add.u32 16"));
      add("expect_tx bytes", through(l, 2, "sub.u32 16"));
    } else if (starts(op, "mbarrier.arrive") || starts(op, "cp.async.mbarrier.arrive")) {
      add("arrival deleted", nothing);
    }
    if (starts(op, "mbarrier.init")) {
      add("arrival deleted", nothing);
      add("arrive count", through(l, 1, "add.u32 1"));
      add("arrive count", through(l, 1, "sub.u32 1"));
    }
    if ((starts(op, "bar.sync") || starts(op, "bar.arrive")) && has(l.operands, ","))
      add("arrive count", through(l, 1, "add.u32 32")), add("arrive count", through(l, 1, "sub.u32 32"));
    if (has(op, "wait.parity"))
      add("parity", through(l, 2, "xor.b32 1"));
    if (has(op, "wait_group"))
      add("wait_group count", op + " " + std::to_string(std::stoi(l.operands) + 1) + ";");
    if (!l.guard.empty()) {
      add("guard deleted", op + " " + l.operands + ";");
      bool negated = l.guard[1] == '!';
      add("guard negated",
          (negated ? "@" + l.guard.substr(2) : "@!" + l.guard.substr(1)) + op + " " + l.operands + ";");
    }
    if (addressed && (has(op, ".shared") || starts(op, "ldmatrix")) && !starts(op, "mbarrier")) {
      bool wide = starts(op, "ldmatrix") || starts(op, "cp.async") || starts(op, "stmatrix");
      bool toShared = !starts(op, "cp.async.bulk") || !has(op, "global.shared");
      int by = starts(op, "cp.async.bulk.tensor") ? 128 : wide ? 16 : bytesOf(op);
      if (!starts(op, "cp.async.mbarrier"))
        add("shared address", l.guard + op + " " + moved(l.operands, toShared ? 0 : 1, by) + ";");
    }
    if (addressed && (has(op, ".global") || starts(op, "cp.async")) && !starts(op, "cp.async.bulk.tensor") &&
        !starts(op, "cp.async.mbarrier")) {
      bool bulk = starts(op, "cp.async");
      bool second = bulk && !has(op, "global.shared");
      add("global address", l.guard + op + " " + moved(l.operands, second ? 1 : 0, bulk ? 16 : bytesOf(op)) + ";");
    }
  }
  return list;
}
