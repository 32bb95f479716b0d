// Running another program to its end: a compiler's helper such as an assembler. Nothing is inherited but the
// environment; its input is empty.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace tessera {

// A folder of our own among the temporary files; goes with its object. `path` is empty where none could be made.
struct ScratchFolder {
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder &) = delete;
  ScratchFolder &operator=(const ScratchFolder &) = delete;
  std::filesystem::path path;
};

// Runs arguments[0] (a path, or a name on PATH) with its output and errors in the file `log`. False when it cannot be
// started, does not end with status 0, or takes longer than `patienceMs` (it is killed then). Thread-safe.
bool runChild(std::vector<std::string> arguments, const std::filesystem::path &log, int patienceMs);

// A file's bytes; empty where it cannot be read.
std::string readWhole(const std::filesystem::path &path);

} // namespace tessera
