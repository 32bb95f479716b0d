// Prints one module with all forms that a chip has, for ptxas to say whether they are PTX: forms_dump 80 > f.ptx
#include "tests/vgpu/forms/forms.h"
#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) {
  int arch = argc > 1 ? std::atoi(argv[1]) : 90, number = 0;
  std::string head, all;
  auto add = [&](const std::string &text) {
    size_t entry = text.find(".visible .entry k(");
    head = text.substr(0, entry);
    all += ".visible .entry k" + std::to_string(number++) + text.substr(entry + 17);
  };
  for (const forms::Row &row : forms::allRows())
    if (row.arch <= arch)
      add(forms::moduleFor(row, arch));
  for (const forms::Listed &listed : forms::listedForms())
    if (listed.arch <= arch)
      add(forms::moduleFor(listed.form, arch));
  std::fputs((head + all).c_str(), stdout);
  return 0;
}
