// docs/gpu_support.md against the compiler: what it refuses of op x dtype x chip is what the table says, and no more.
#include "compiler/compile.h"
#include "ops/all.h"
#include "tests/conformance/on_target.h"
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace tessera {
namespace {

// By chip: the rows "op | dtype | reason".
using Refusals = std::map<std::string, std::set<std::string>>;

std::string trimmed(std::string text) {
  text.erase(0, text.find_first_not_of(' '));
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

std::vector<std::string> cells(const std::string &line, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(line);
  for (std::string part; std::getline(stream, part, separator);)
    parts.push_back(trimmed(part));
  return parts;
}

Refusals documented() {
  Refusals rows;
  std::ifstream file("docs/gpu_support.md");
  for (std::string line; std::getline(file, line);)
    if (std::vector<std::string> row = cells(line, '|');
        row.size() == 5 && row[0].empty() && row[1] != "op" && row[1][0] != '-')
      for (const std::string &chip : cells(row[3], ','))
        rows[chip].insert(row[1] + " | " + row[2] + " | " + row[4]);
  return rows;
}

// Why the chip does not take the op; empty where it does. Without the source's line and the chip's name.
std::string refusal(const ops::OpInfo &op, DType dtype, const Target &chip) {
  Result<Program> program = op.trace({dtype, "", {}}, chip);
  if (!program)
    return program.error().message;
  Result<Artifact> artifact = compile(*program, chip);
  if (artifact)
    return "";
  std::string text = artifact.error().message, named = "target " + std::string(chip.name);
  text = text.substr(0, text.find('\n'));
  if (size_t at = text.find(named); at != std::string::npos)
    text = "the target" + text.substr(at + named.size());
  return text;
}

class GpuRefusals : public conformance::OnTarget {};

TEST_P(GpuRefusals, IsWhatTheTableSays) {
  std::set<std::string> found;
  for (const ops::OpInfo &op : ops::all())
    for (DType dtype : op.dtypes)
      if (std::string why = refusal(op, dtype, target()); !why.empty())
        found.insert(std::string(op.name) + " | " + std::string(name(dtype)) + " | " + why);
  EXPECT_EQ(found, documented()[std::string(target().name)])
      << "docs/gpu_support.md has one row for each: | op | dtype | chips | reason |";
}

std::vector<const Target *> gpus() {
  std::vector<const Target *> rows;
  for (const Target &row : targets())
    if (row.vendor == Vendor::nvidia)
      rows.push_back(&row);
  return rows;
}
INSTANTIATE_TEST_SUITE_P(, GpuRefusals, testing::ValuesIn(gpus()), conformance::targetName);

TEST(GpuRefusalTable, NamesOnlyChipsThatThereAre) {
  for (const auto &[chip, rows] : documented())
    EXPECT_TRUE(findTarget(chip)) << chip;
}

} // namespace
} // namespace tessera
