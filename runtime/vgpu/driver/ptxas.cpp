#include "runtime/vgpu/driver/ptxas.h"
#include "base/hash.h"
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char **environ;

namespace tessera::vgpu::driver {
namespace {
namespace fs = std::filesystem;
constexpr int patienceMs = 30000;

std::string readAll(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// A folder of our own that goes with its object.
struct Scratch {
  fs::path folder;
  Scratch() {
    std::error_code failed;
    fs::path base = fs::temp_directory_path(failed);
    std::string pattern = (failed ? fs::path("/tmp") : base) / "tessera-ptxas-XXXXXX";
    if (mkdtemp(pattern.data()))
      folder = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    if (!folder.empty())
      fs::remove_all(folder, ignored);
  }
};

// Runs ptxas with its output in `log`. False when it cannot be started, fails, or does not end in time.
bool runPtxas(std::vector<std::string> arguments, const fs::path &log) {
  std::vector<char *> argv;
  for (std::string &a : arguments)
    argv.push_back(a.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&files, 1, 2);
  pid_t child = -1;
  const int failed = posix_spawnp(&child, "ptxas", &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  if (failed)
    return false;
  for (int waited = 0;; ++waited) {
    int status = 0;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    if (ended == child)
      return WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (ended < 0 && errno != EINTR)
      return false; // the program reaps its children itself: there is no telling how it ended
    if (waited >= patienceMs) {
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return false;
    }
    usleep(1000);
  }
}

// What `ptxas --version` prints, asked for once; empty where there is none.
const std::string &version() {
  static const std::string text = [] {
    Scratch scratch;
    const fs::path log = scratch.folder / "version";
    return !scratch.folder.empty() && runPtxas({"ptxas", "--version"}, log) ? readAll(log) : std::string();
  }();
  return text;
}

fs::path cacheFolder() {
  if (const char *named = std::getenv("TESSERA_CACHE"); named && *named)
    return fs::path(named) / "ptxas";
  if (const char *home = std::getenv("HOME"); home && *home)
    return fs::path(home) / ".cache/tessera/ptxas";
  return {};
}

// A whole file or none: other processes read here.
void keep(const fs::path &path, const std::string &text) {
  std::error_code failed;
  fs::create_directories(path.parent_path(), failed);
  const fs::path part = path.string() + "." + std::to_string(getpid());
  {
    std::ofstream file(part, std::ios::binary);
    file << text;
    if (!file.flush())
      failed = std::make_error_code(std::errc::io_error);
  }
  if (!failed)
    fs::rename(part, path, failed);
  if (failed)
    fs::remove(part, failed);
}

// The number before `unit` in a line; false when there is none.
bool numberBefore(std::string_view line, std::string_view unit, uint32_t &value) {
  const size_t end = line.find(unit);
  if (end == line.npos || end == 0)
    return false;
  size_t begin = end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9')
    --begin;
  return begin < end && std::from_chars(line.data() + begin, line.data() + end, value).ec == std::errc();
}
} // namespace

std::map<std::string, Assembled> parseAssembled(std::string_view log) {
  std::map<std::string, Assembled> entries;
  std::string name;
  Assembled now;
  while (!log.empty()) {
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    constexpr std::string_view begins = "Compiling entry function '";
    if (const size_t at = line.find(begins); at != line.npos) {
      const std::string_view rest = line.substr(at + begins.size());
      name = rest.substr(0, rest.find('\''));
      now = {};
    }
    uint32_t stores = 0;
    if (numberBefore(line, " bytes stack frame", now.stackBytes) && numberBefore(line, " bytes spill stores", stores))
      now.spillBytes = stores;
    if (!name.empty() && numberBefore(line, " registers", now.registers)) {
      entries[name] = now; // the properties of called functions follow and are not the kernel's
      name.clear();
    }
  }
  return entries;
}

std::map<std::string, Assembled> assembled(std::string_view ptx, const std::string &arch) {
  static std::map<std::string, std::map<std::string, Assembled>> known;
  if (version().empty())
    return {};
  std::string content = version() + '\0' + arch + '\0';
  content += ptx;
  const std::string key = hash128(content).hex();
  if (const auto found = known.find(key); found != known.end())
    return found->second;
  const fs::path kept = cacheFolder().empty() ? fs::path() : cacheFolder() / (key + ".txt");
  std::map<std::string, Assembled> entries;
  if (!kept.empty())
    entries = parseAssembled(readAll(kept));
  if (Scratch scratch; entries.empty() && !scratch.folder.empty()) {
    const fs::path in = scratch.folder / "in.ptx", log = scratch.folder / "log";
    std::ofstream(in, std::ios::binary) << ptx;
    if (runPtxas({"ptxas", "-v", "-arch=" + arch, in, "-o", scratch.folder / "out"}, log)) {
      const std::string text = readAll(log);
      entries = parseAssembled(text);
      if (!kept.empty() && !entries.empty())
        keep(kept, text);
    }
  }
  return known[key] = entries;
}

} // namespace tessera::vgpu::driver
