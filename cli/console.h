// What all subcommands say on standard output and standard error, and how they stop.
#pragma once
#include "base/result.h"
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tessera::cli {

// Keys keep the order in which they were set.
using Json = nlohmann::ordered_json;

// One object and a line break on standard output. Text that is not UTF-8 shows U+FFFD.
void printJson(const Json &json);
// Text on standard output as it is.
void print(std::string_view text);
// A line on standard error.
void log(std::string_view line);

// "tessera: <sentence>" on standard error; the exit status: 1, or 70 with a request to report where it is our fault.
int report(const Error &error);
// An error where standard output took less than was printed.
Status flushOutput();

// "12.3 MB", "1.20 GB": decimal units.
std::string bytesText(double bytes);
// Fixed point with `digits` after it.
std::string number(double value, int digits = 1);

// How far a long job is, on standard error: a bar that redraws itself on a terminal, a plain line in a pipe whenever
// one more is done. One call at a time.
class Progress {
public:
  explicit Progress(std::string what);
  ~Progress() { finish(); }
  void update(std::string_view item, int64_t done, int64_t total);
  // Clears the bar. Called again it does nothing.
  void finish();

private:
  std::string what;
  bool isTerminal;
  bool isDrawn = false;
  int64_t lastDone = 0;
};

// While one lives, the first Ctrl-C only sets a flag; the second ends the process as usual.
class InterruptGuard {
public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard &) = delete;
  InterruptGuard &operator=(const InterruptGuard &) = delete;
  bool interrupted() const;
};

} // namespace tessera::cli
