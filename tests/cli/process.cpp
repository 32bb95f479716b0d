#include "tests/cli/process.h"
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tessera::test {

namespace {
[[noreturn]] void execute(std::vector<std::string> arguments, const std::vector<std::string> &environment) {
  const char *named = std::getenv("TESSERA_PROGRAM");
  arguments.insert(arguments.begin(), named ? named : "build/bin/tessera");
  for (const std::string &entry : environment)
    ::putenv(const_cast<char *>(entry.c_str()));
  std::vector<char *> raw;
  for (std::string &argument : arguments)
    raw.push_back(argument.data());
  raw.push_back(nullptr);
  ::execv(raw[0], raw.data());
  ::_exit(127);
}

// Reads both pipes to their ends.
void collect(pid_t child, std::array<int, 2> pipes, const std::string &interruptAfter, Outcome &outcome) {
  std::array<std::string *, 2> texts = {&outcome.out, &outcome.err};
  bool isInterrupted = interruptAfter.empty();
  for (int open = 2; open > 0;) {
    std::array<pollfd, 2> wait = {pollfd{pipes[0], POLLIN, 0}, pollfd{pipes[1], POLLIN, 0}};
    ::poll(wait.data(), wait.size(), -1);
    for (size_t i = 0; i < wait.size(); ++i) {
      if (pipes[i] < 0 || !(wait[i].revents & (POLLIN | POLLHUP)))
        continue;
      char buffer[4096];
      ssize_t count = ::read(pipes[i], buffer, sizeof(buffer));
      if (count > 0) {
        texts[i]->append(buffer, size_t(count));
      } else {
        ::close(pipes[i]);
        pipes[i] = -1;
        --open;
      }
    }
    if (!isInterrupted && outcome.out.find(interruptAfter) != std::string::npos) {
      ::kill(child, SIGINT);
      isInterrupted = true;
    }
  }
}
} // namespace

Outcome run(const std::vector<std::string> &arguments, const std::vector<std::string> &environment,
            const std::string &interruptAfter) {
  int out[2], err[2];
  if (::pipe(out) != 0 || ::pipe(err) != 0)
    return {-1, "", "pipe failed"};
  pid_t child = ::fork();
  if (child == 0) {
    ::dup2(out[1], 1);
    ::dup2(err[1], 2);
    for (int fd : {out[0], out[1], err[0], err[1]})
      ::close(fd);
    execute(arguments, environment);
  }
  ::close(out[1]);
  ::close(err[1]);
  Outcome outcome{};
  collect(child, {out[0], err[0]}, interruptAfter, outcome);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  return outcome;
}

const std::string &scratch() {
  struct Folder {
    std::string path = testing::TempDir() + "tessera-cli-" + std::to_string(::getpid());
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
  };
  static const Folder folder;
  return folder.path;
}

} // namespace tessera::test
