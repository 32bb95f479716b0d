#include "runtime/vgpu/driver/ptxas.h"
#include "base/child_process.h"
#include "base/hash.h"
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace tessera::vgpu::driver {
namespace {
namespace fs = std::filesystem;
constexpr int patienceMs = 30000;

// What `ptxas --version` prints, asked for once; empty where there is none.
const std::string &version() {
  static const std::string text = [] {
    ScratchFolder scratch;
    const fs::path log = scratch.path / "version";
    return !scratch.path.empty() && runChild({"ptxas", "--version"}, log, patienceMs) ? readWhole(log) : std::string();
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
    entries = parseAssembled(readWhole(kept));
  if (ScratchFolder scratch; entries.empty() && !scratch.path.empty()) {
    const fs::path in = scratch.path / "in.ptx", log = scratch.path / "log";
    std::ofstream(in, std::ios::binary) << ptx;
    if (runChild({"ptxas", "-v", "-arch=" + arch, in, "-o", scratch.path / "out"}, log, patienceMs)) {
      const std::string text = readWhole(log);
      entries = parseAssembled(text);
      if (!kept.empty() && !entries.empty())
        keep(kept, text);
    }
  }
  return known[key] = entries;
}

} // namespace tessera::vgpu::driver
