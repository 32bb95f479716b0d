#include "compiler/assembler.h"
#include "base/child_process.h"
#include "compiler/register_bound.h"
#include <array>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <unistd.h>

namespace tessera {

namespace fs = std::filesystem;

static constexpr int64_t registerFile = 65536; // of a multiprocessor, on every chip
static constexpr int versionPatienceMs = 10'000, patienceMs = 60'000;

// "13.0.88" of "Cuda compilation tools, release 13.0, V13.0.88"; empty where the text is another program's.
static std::string versionIn(std::string_view text) {
  size_t release = text.find("release "), begin = text.find(", V", release);
  if (text.find("Ptx optimizing assembler") == text.npos || release == text.npos || begin == text.npos)
    return {};
  std::string_view version = text.substr(begin + 3);
  return std::string(version.substr(0, version.find_first_not_of("0123456789.")));
}

// Asked once for each path: 10 ms and more.
static std::string versionOf(const std::string &path) {
  static std::mutex guard;
  static std::map<std::string, std::string> known;
  std::lock_guard lock(guard);
  auto [entry, isNew] = known.try_emplace(path);
  if (ScratchFolder scratch; isNew && !scratch.path.empty())
    if (fs::path log = scratch.path / "version"; runChild({path, "--version"}, log, versionPatienceMs))
      entry->second = versionIn(readWhole(log));
  return entry->second;
}

Result<std::optional<Assembler>> findAssembler(const std::string &wanted) {
  if (wanted == "none")
    return std::optional<Assembler>();
  if (!wanted.empty()) {
    std::string version = versionOf(wanted);
    if (version.empty())
      return invalidArgument("'" + wanted + "' is no ptxas that runs: `" + wanted +
                             " --version` does not answer as one");
    return std::optional<Assembler>({wanted, version, true});
  }
  std::string folders;
  if (const char *path = std::getenv("PATH"))
    folders = path;
  if (const char *home = std::getenv("CUDA_HOME"); home && *home)
    folders += ":" + std::string(home) + "/bin";
  for (std::string_view rest = folders; !rest.empty();) {
    std::string_view folder = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(rest.size(), folder.size() + 1));
    std::string path = std::string(folder) + "/ptxas";
    if (folder.empty() || access(path.c_str(), X_OK) != 0)
      continue;
    if (std::string version = versionOf(path); !version.empty())
      return std::optional<Assembler>({path, version, false});
  }
  return std::optional<Assembler>();
}

// The number before `unit`, or -1.
static int64_t numberBefore(std::string_view line, std::string_view unit) {
  size_t end = line.find(unit), begin = end == line.npos ? 0 : end;
  while (begin > 0 && line[begin - 1] >= '0' && line[begin - 1] <= '9')
    --begin;
  int64_t value = -1;
  if (end != line.npos)
    std::from_chars(line.data() + begin, line.data() + end, value);
  return value;
}

std::optional<ResourceReport> parseResources(std::string_view log, std::string_view entry) {
  size_t begin = log.find("Compiling entry function '" + std::string(entry) + "'");
  if (begin == log.npos)
    return std::nullopt;
  std::string_view about = log.substr(begin);
  about = about.substr(0, about.find("Compiling entry function", 1));
  ResourceReport report;
  while (!about.empty()) {
    std::string_view line = about.substr(0, about.find('\n'));
    about.remove_prefix(std::min(about.size(), line.size() + 1));
    // The first frame is the entry's own; those of functions that it calls follow.
    if (int64_t frame = numberBefore(line, " bytes stack frame"); frame >= 0 && report.registers < 0) {
      report.scratchBytes = frame;
      report.spillBytes = std::max<int64_t>(0, numberBefore(line, " bytes spill stores"));
    }
    if (int64_t registers = numberBefore(line, " registers"); registers >= 0) {
      report.registers = registers;
      report.sharedBytes = std::max<int64_t>(0, numberBefore(line, " bytes smem"));
      return report;
    }
  }
  return std::nullopt;
}

// The first line of what the assembler said that tells an error, without the name of our scratch file.
static std::string firstError(const std::string &log, const std::string &scratch) {
  size_t at = std::min(log.find("error"), log.find("fatal"));
  if (at == log.npos)
    return log.empty() ? "it said nothing" : log.substr(0, log.find('\n'));
  size_t begin = log.rfind('\n', at) + 1;
  std::string line = log.substr(begin, log.find('\n', at) - begin);
  if (size_t name = line.find(scratch); name != line.npos)
    line.replace(name, scratch.size(), "the PTX");
  return line;
}

// Fills the cubin and the resources by one run of the program.
static Status assembleOnce(const Assembler &assembler, const Target &target, Artifact &artifact) {
  const std::string &title = artifact.signature.name;
  ScratchFolder scratch;
  fs::path in = scratch.path / "kernel.ptx", out = scratch.path / "kernel.cubin", log = scratch.path / "log";
  std::ofstream file(in, std::ios::binary);
  file << artifact.bytes;
  file.close();
  if (scratch.path.empty() || !file)
    return ioError("kernel '" + title + "': no temporary file can be written for ptxas");
  bool ended = runChild({assembler.path, "-v", "-arch=" + std::string(target.arch), in, "-o", out}, log, patienceMs);
  std::string said = readWhole(log), cubin = ended ? readWhole(out) : "";
  auto failure = [&](const std::string &how) {
    return deviceError("kernel '" + title + "': the assembler " + assembler.path + " " + assembler.version + " " + how);
  };
  if (!ended)
    return failure("fails: " + firstError(said, in.string()));
  if (!cubin.starts_with("\x7f"
                         "ELF"))
    return failure("wrote no cubin");
  std::optional<ResourceReport> any = parseResources(said, artifact.entry), aligned;
  if (!artifact.alignedEntry.empty())
    aligned = parseResources(said, artifact.alignedEntry);
  artifact.cubin = std::move(cubin);
  artifact.resources = any.value_or(ResourceReport());
  artifact.alignedResources = aligned.value_or(ResourceReport());
  return {};
}

// How many registers to give an entry that took `registers` and spilled: all that as many blocks a multiprocessor leave
// a thread, or where it has those, all that one block less does, and an eighth more at least.
static int64_t roomierBound(int64_t registers, int64_t threads) {
  int64_t blocks = std::max<int64_t>(registerFile / (threads * registers), 1);
  auto most = [&](int64_t count) { return registerFile / (threads * std::max<int64_t>(count, 1)) / 8 * 8; };
  int64_t same = most(blocks);
  return std::max(same > registers ? same : most(blocks - 1), (registers * 9 / 8 + 7) / 8 * 8);
}

static int64_t lost(const ResourceReport &seen) { return std::max<int64_t>(seen.spillBytes, 0); }

namespace {
// An entry of an artifact, and the bound of registers that was tried for it last.
struct Bounded {
  std::string Artifact::*name;
  ResourceReport Artifact::*seen;
  int64_t threads, tried;

  // Whether the entry spills, may be given more and was; in the end all there is.
  bool raise(const Artifact &made, Artifact &roomy, bool last) {
    int64_t most = std::min<int64_t>(255, registerFile / threads / 8 * 8);
    if ((made.*name).empty() || lost(made.*seen) == 0 || tried >= most - 1 || !registerBound(made.bytes, made.*name))
      return false;
    tried = last ? most : std::min(most, roomierBound(tried, threads));
    setRegisterBound(roomy.bytes, made.*name, tried);
    return true;
  }
};
} // namespace

// Left alone, ptxas aims at a number of blocks a multiprocessor, and spills a few values for one more; under a bound it
// takes what the bound leaves it, and may spill more or less of it from one bound to the next. So entries that spill
// are tried under larger ones, in the end all there is, and each keeps what it spilled least under.
Status assemble(const Assembler &assembler, const Target &target, Artifact &artifact) {
  if (target.vendor != Vendor::nvidia)
    return invalidArgument("kernel '" + artifact.signature.name + "' was compiled for " + artifact.target +
                           ": ptxas takes NVIDIA's PTX");
  constexpr int tries = 5;
  Artifact made = artifact;
  TESSERA_TRY(assembleOnce(assembler, target, made));
  int64_t threads = std::max<int64_t>(made.block.threads[0], 32);
  int64_t alignedThreads = made.alignedThreads ? std::max<int64_t>(made.alignedThreads, 32) : threads;
  std::array entries{
      Bounded{&Artifact::entry, &Artifact::resources, threads, made.resources.registers},
      Bounded{&Artifact::alignedEntry, &Artifact::alignedResources, alignedThreads, made.alignedResources.registers}};
  for (int i = 0; i < tries; ++i) {
    Artifact roomy = made, better = made;
    std::vector<Bounded> raised;
    for (Bounded &entry : entries)
      if (entry.raise(made, roomy, i + 1 == tries))
        raised.push_back(entry);
    if (raised.empty() || !assembleOnce(assembler, target, roomy))
      break;
    size_t gained = 0;
    for (const Bounded &entry : raised)
      if (lost(roomy.*entry.seen) < lost(made.*entry.seen)) {
        setRegisterBound(better.bytes, made.*entry.name, entry.tried);
        ++gained;
      }
    if (gained == raised.size())
      made = std::move(roomy);
    else if (gained && assembleOnce(assembler, target, better)) // what the other entry was given did not help it
      made = std::move(better);
  }
  artifact = std::move(made);
  return {};
}

} // namespace tessera
