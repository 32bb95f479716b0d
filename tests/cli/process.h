// Runs the `tessera` under test and keeps what it said.
#pragma once
#include <string>
#include <vector>

namespace tessera::test {

struct Outcome {
  int status; // exit status, or -signal
  std::string out, err;
};

// The program is named by TESSERA_PROGRAM (CTest sets it), else build/bin/tessera. `environment` holds NAME=value.
// Where `interruptAfter` is not empty, SIGINT is sent once that text has been seen on standard output.
Outcome run(const std::vector<std::string> &arguments, const std::vector<std::string> &environment = {},
            const std::string &interruptAfter = "");

// A folder for one test program's files; removed when it ends.
const std::string &scratch();

} // namespace tessera::test
