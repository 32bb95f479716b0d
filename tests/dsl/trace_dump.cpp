// Prints traces: trace_dump [--located] [kernel]; without a name all of them.
#include "dsl/trace.h"
#include "tests/dsl/kernels.h"
#include <cstdio>
#include <cstring>

int main(int argc, char **argv) {
  bool located = argc > 1 && !std::strcmp(argv[1], "--located");
  const char *only = argc > 1 + located ? argv[1 + located] : nullptr;
  for (const tessera::dsl::NamedKernel &kernel : tessera::dsl::kernels)
    if (!only || !std::strcmp(only, kernel.name)) {
      auto program = tessera::traceKernel(kernel.name, "", kernel.define).value();
      std::fputs((located ? program.text : program.fingerprint).c_str(), stdout);
    }
}
