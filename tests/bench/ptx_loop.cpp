#include "tests/bench/ptx_loop.h"
#include <algorithm>
#include <charconv>
#include <map>
#include <string>

namespace tessera::bench {
namespace {

struct Statement {
  std::string_view mnemonic, operands;
};

struct Body {
  std::vector<Statement> statements;
  std::map<std::string_view, size_t> labels; // before which statement they stand
};

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(" \t{")));
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

// A statement ends with a semicolon, of which inline assembly writes several to a line; comments, directives and labels
// end with the line.
Body bodyOf(std::string_view ptx, std::string_view entry) {
  Body body;
  size_t begin = ptx.find(".entry " + std::string(entry) + "(");
  begin = std::min(ptx.size(), ptx.find("\n{", std::min(begin, ptx.size())));
  std::string_view text = ptx.substr(begin, ptx.find("\n}", begin) - begin);
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find_first_of("\n;"));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = trimmed(line.substr(0, line.find("//")));
    if (line.ends_with(':'))
      body.labels[line.substr(0, line.size() - 1)] = body.statements.size();
    if (line.starts_with('@'))
      line = trimmed(line.substr(std::min(line.size(), line.find_first_of(" \t"))));
    if (line.empty() || line[0] < 'a' || line[0] > 'z')
      continue; // a label, a directive, or the rest of a statement of several lines
    size_t end = std::min(line.size(), line.find_first_of(" \t"));
    body.statements.push_back({line.substr(0, end), trimmed(line.substr(end))});
  }
  return body;
}

} // namespace

std::vector<PtxLoop> matrixLoops(std::string_view ptx, std::string_view entry) {
  Body body = bodyOf(ptx, entry);
  std::map<size_t, size_t> ends; // of loops, by where they begin
  for (size_t i = 0; i < body.statements.size(); ++i)
    if (body.statements[i].mnemonic.starts_with("bra"))
      if (auto label = body.labels.find(body.statements[i].operands); label != body.labels.end() && label->second <= i)
        ends[label->second] = i + 1;
  std::vector<PtxLoop> loops;
  for (auto loop = ends.begin(); loop != ends.end(); ++loop) {
    if (auto next = std::next(loop); next != ends.end() && next->second <= loop->second)
      continue; // not the innermost
    PtxLoop counts;
    for (size_t i = loop->first; i < loop->second; ++i) {
      std::string_view mnemonic = body.statements[i].mnemonic;
      ++(mnemonic.starts_with("mma.")        ? counts.mma
         : mnemonic.starts_with("ldmatrix.") ? counts.ldmatrix
         : mnemonic.starts_with("wgmma.")    ? counts.wgmma
                                             : counts.other);
    }
    if (counts.mma || counts.wgmma)
      loops.push_back(counts);
  }
  return loops;
}

std::vector<int64_t> globalAccesses(std::string_view ptx, std::string_view entry) {
  std::vector<int64_t> bytes;
  auto number = [](std::string_view text) {
    int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  for (auto [mnemonic, operands] : bodyOf(ptx, entry).statements) {
    if (mnemonic.starts_with("ld.global") || mnemonic.starts_with("st.global")) {
      size_t vector = mnemonic.find(".v"), bits = mnemonic.find_last_not_of("0123456789") + 1;
      bytes.push_back((vector == mnemonic.npos ? 1 : number(mnemonic.substr(vector + 2))) *
                      number(mnemonic.substr(bits)) / 8);
    } else if (mnemonic.starts_with("cp.async.ca") ||
               mnemonic.starts_with("cp.async.cg")) { // [to], [from], bytes, and what of them is read
      size_t second = operands.find("],", operands.find("],") + 2);
      std::string_view size = trimmed(operands.substr(std::min(operands.size(), second + 2)));
      bytes.push_back(number(size));
    }
  }
  return bytes;
}

} // namespace tessera::bench
