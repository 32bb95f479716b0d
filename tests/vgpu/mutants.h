// Mutants of a kernel's PTX: one synchronisation, guard, address or count changed at a time.
#pragma once
#include <string>
#include <vector>

struct Mutant {
  std::string kind;  // what was changed: "barrier", "wait", ...
  size_t number = 0; // counts the kind's mutants of the kernel, in the order of the text
  size_t line = 0;   // of the PTX, from 1
  std::string before, after;
};

// Every mutant of the kernel in `lines`, in the order of the text.
std::vector<Mutant> mutantsOf(const std::vector<std::string> &lines, const std::string &kernel);

// The text with the mutant in the place of its line.
std::string mutated(const std::vector<std::string> &lines, const Mutant &mutant);

std::vector<std::string> splitLines(const std::string &text);
