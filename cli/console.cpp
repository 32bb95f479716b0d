#include "cli/console.h"
#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace tessera::cli {

void print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void printJson(const Json &json) { print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"); }

void log(std::string_view line) { std::fprintf(stderr, "%.*s\n", int(line.size()), line.data()); }

int report(const Error &error) {
  log("tessera: " + error.message);
  if (error.blame != Blame::internal)
    return 1;
  log("This is a mistake in Tessera, not in your input: please report it with the command that you ran.");
  return 70;
}

Status flushOutput() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    return ioError("standard output cannot be written");
  return {};
}

std::string number(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string bytesText(double bytes) {
  if (bytes >= 1e9)
    return number(bytes / 1e9, 2) + " GB";
  return bytes >= 1e6 ? number(bytes / 1e6) + " MB" : number(bytes / 1e3) + " kB";
}

Progress::Progress(std::string what) : what(std::move(what)), isTerminal(::isatty(STDERR_FILENO) == 1) {}

void Progress::update(std::string_view item, int64_t done, int64_t total) {
  std::string count = std::to_string(done) + "/" + std::to_string(total);
  if (!isTerminal) {
    if (done == lastDone)
      return;
    lastDone = done;
    log(what + " " + count + " " + std::string(item));
    return;
  }
  constexpr int64_t width = 30;
  int64_t filled = total > 0 ? width * done / total : width;
  std::string bar = std::string(size_t(filled), '#') + std::string(size_t(width - filled), '.');
  std::fprintf(stderr, "\r\033[K%s [%s] %s %.*s", what.c_str(), bar.c_str(), count.c_str(), int(item.size()),
               item.data());
  std::fflush(stderr);
  isDrawn = true;
}

void Progress::finish() {
  if (isDrawn)
    std::fputs("\r\033[K", stderr);
  isDrawn = false;
}

namespace {
volatile std::sig_atomic_t interruptFlag = 0;

void onInterrupt(int) {
  interruptFlag = 1;
  std::signal(SIGINT, SIG_DFL);
}
} // namespace

InterruptGuard::InterruptGuard() {
  interruptFlag = 0;
  std::signal(SIGINT, onInterrupt);
}

InterruptGuard::~InterruptGuard() { std::signal(SIGINT, SIG_DFL); }
bool InterruptGuard::interrupted() const { return interruptFlag != 0; }

} // namespace tessera::cli
