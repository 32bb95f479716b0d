// What the checker is worth: kernels that nvcc made, with one synchronisation, guard, address or count changed at a
// time. Nearly every such mutant must be reported or give another result.
// Only instructions that the launch executes are changed: of others a checker of runs can say nothing. Whether one is
// executed is seen by putting a trap in its place.
// No mutant is excluded: those that mean the same as the original count as survivors, with the reason beside them.
// Usage: vgpu_mutation_test [--full] [--verbose]: --full tries each in 20 schedules and not in 4.
#include "tests/vgpu/kernel_cases.h"
#include "tests/vgpu/mutants.h"
#include <algorithm>
#include <cstring>
#include <map>

namespace {

struct Count {
  int mutants = 0, reported = 0, changed = 0, survived = 0;
};

// "kernel | kind | number | reason" a line: why a mutant survives.
std::map<std::string, std::string> reasons() {
  std::map<std::string, std::string> known;
  std::ifstream file("tests/vgpu/surviving_mutants.txt");
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#')
      continue;
    size_t last = line.rfind(" | ");
    if (last != line.npos)
      known[line.substr(0, last)] = line.substr(last + 3);
  }
  return known;
}

} // namespace

int main(int argc, char **argv) {
  bool full = false, verbose = false;
  for (int i = 1; i < argc; ++i) {
    full |= std::strcmp(argv[i], "--full") == 0;
    verbose |= std::strcmp(argv[i], "--verbose") == 0;
  }
  if (cuInit(0) != 0)
    return 2;
  const uint64_t schedules = full ? 20 : 4;
  CaseRunner runner;
  std::map<std::string, Count> table;
  Count all;
  std::string survivors;
  auto known = reasons();
  bool clean = true;
  int unreached = 0;
  for (const KernelCase &c : runner.cases()) {
    std::vector<std::string> lines = splitLines(CaseRunner::textOf(c));
    tesseraVgpuSchedule(0);
    Outcome good = runner.attempt(c, CaseRunner::textOf(c));
    if (!good) {
      std::printf("%s is reported without a mutation: %s\n", c.kernel.c_str(), tesseraVgpuFindings());
      clean = false;
      continue;
    }
    std::vector<Mutant> mutants = mutantsOf(lines, c.kernel);
    std::map<size_t, bool> executed; // by line
    for (const Mutant &m : mutants)
      if (!executed.count(m.line))
        executed[m.line] = !runner.attempt(c, mutated(lines, {m.kind, 0, m.line, "", "trap;"}));
    std::erase_if(mutants, [&](const Mutant &m) { return !executed[m.line]; });
    for (auto [line, runs] : executed)
      unreached += !runs;
    for (const Mutant &m : mutants) {
      Count &count = table[m.kind];
      std::string text = mutated(lines, m), name = c.kernel + " | " + m.kind + " | " + std::to_string(m.number);
      bool loaded = false, found = false, reported = false;
      // What is right in the fixed order may be wrong in another.
      for (uint64_t seed = 0; seed < schedules && !found; ++seed) {
        tesseraVgpuSchedule(seed);
        Outcome got = runner.attempt(c, text, &loaded);
        if (!loaded)
          break;
        reported = !got;
        found = !got || *got != *good;
      }
      if (!loaded) // not a program any more: no mutant
        continue;
      std::string finding = reported ? std::string(tesseraVgpuFindings()) : "";
      if (verbose)
        std::printf("%s line %zu: %s -> %s: %s\n", name.c_str(), m.line, m.before.c_str(), m.after.c_str(),
                    reported ? finding.substr(0, finding.find('\n')).c_str()
                    : found  ? "changed"
                             : "SURVIVED");
      ++count.mutants;
      count.reported += found && reported;
      count.changed += found && !reported;
      count.survived += !found;
      if (found)
        continue;
      auto reason = known.find(name);
      if (m.kind == "guard deleted" && reason == known.end()) {
        // Nothing changes where the predicate is never false: then a trap in that case changes nothing either.
        size_t at = m.before.find('@') + 1, end = m.before.find_first_of(" \t", at);
        std::string guard = m.before.substr(at, end - at);
        std::string otherwise = guard[0] == '!' ? "@" + guard.substr(1) : "@!" + guard;
        if (runner.attempt(c, mutated(lines, {m.kind, 0, m.line, "", otherwise + " trap; " + m.before})))
          reason = known.emplace(name, "the predicate is true whenever this is executed").first;
      }
      survivors += "  " + name + ", line " + std::to_string(m.line) + ": " + m.before + "  ->  " + m.after + "\n" +
                   (reason == known.end() ? "" : "    " + reason->second + "\n");
    }
  }
  std::printf("%-20s %8s %9s %8s %9s\n", "kind", "mutants", "reported", "changed", "survived");
  for (const auto &[kind, n] : table) {
    std::printf("%-20s %8d %9d %8d %9d\n", kind.c_str(), n.mutants, n.reported, n.changed, n.survived);
    all.mutants += n.mutants, all.reported += n.reported, all.changed += n.changed, all.survived += n.survived;
  }
  double share = all.mutants ? 100.0 * (all.reported + all.changed) / all.mutants : 0;
  std::printf("%-20s %8d %9d %8d %9d\n%.1f %% found\n", "all", all.mutants, all.reported, all.changed, all.survived,
              share);
  std::printf("%d lines are not executed by their launch and were left alone\n", unreached);
  if (!survivors.empty())
    std::printf("survivors:\n%s", survivors.c_str());
  return clean && all.mutants >= 200 && share >= 95 ? 0 : 1;
}
