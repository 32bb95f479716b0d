#include "runtime/disk_cache.h"
#include "base/hash.h"
#include "runtime/artifact_codec.h"
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

namespace tessera {

namespace fs = std::filesystem;

static constexpr std::string_view magic = "TESSERA\x1a";
static constexpr uint64_t version = 5;
static constexpr size_t headerBytes = 48; // magic, version, payload bytes, hash high, hash low, zero
static constexpr int64_t maxEntryBytes = 256 << 20;

static void put(std::string &out, uint64_t word) {
  for (int i = 0; i < 8; ++i)
    out += char(word >> 8 * i);
}

static std::string header(std::string_view payload) {
  Hash128 hash = hash128(payload);
  std::string out(magic);
  for (uint64_t word : {version, uint64_t(payload.size()), hash.high, hash.low, uint64_t(0)})
    put(out, word);
  return out;
}

namespace {
struct File {
  int fd;
  ~File() {
    if (fd >= 0)
      close(fd);
  }
};
} // namespace

static bool readAll(int fd, std::string &into) {
  for (size_t done = 0; done < into.size();) {
    ssize_t got = read(fd, into.data() + done, into.size() - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return false;
    done += size_t(got);
  }
  return true;
}

static bool writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t put = write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return false;
    bytes.remove_prefix(size_t(put));
  }
  return true;
}

std::string DiskCache::directory(const std::string &wanted) {
  if (!wanted.empty())
    return wanted;
  if (const char *named = std::getenv("TESSERA_CACHE"); named && *named)
    return named;
  const char *home = std::getenv("HOME");
  return home && *home ? std::string(home) + "/.cache/tessera/kernels" : "";
}

DiskCache::DiskCache(std::string directory) : folder(std::move(directory)) {
  if (folder.empty())
    return;
  std::error_code error;
  fs::create_directories(folder, error);
  if (!fs::is_directory(folder, error)) {
    warn("is no directory that can be used");
    folder.clear();
  }
}

void DiskCache::warn(const std::string &what) {
  if (!warned.exchange(true))
    std::fprintf(stderr, "tessera: the kernel cache %s %s; kernels will be compiled again next time\n", folder.c_str(),
                 what.c_str());
}

std::optional<Artifact> DiskCache::load(const std::string &key) {
  if (folder.empty()) {
    ++misses;
    return std::nullopt;
  }
  File file{open((folder + "/" + key).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) {
    ++misses;
    return std::nullopt;
  }
  auto bad = [&]() -> std::optional<Artifact> {
    ++corrupt;
    return std::nullopt;
  };
  struct stat status;
  if (fstat(file.fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < int64_t(headerBytes + key.size()) ||
      status.st_size > maxEntryBytes)
    return bad();
  std::string bytes(size_t(status.st_size), '\0');
  if (!readAll(file.fd, bytes))
    return bad();
  std::string_view payload = std::string_view(bytes).substr(headerBytes);
  if (std::string_view(bytes).substr(0, headerBytes) != header(payload) || !payload.starts_with(key))
    return bad();
  std::optional<Artifact> artifact = decodeArtifact(payload.substr(key.size()));
  if (!artifact)
    return bad();
  ++hits;
  return artifact;
}

void DiskCache::store(const std::string &key, const Artifact &artifact) {
  if (folder.empty())
    return;
  std::string payload = key + encodeArtifact(artifact);
  std::string temporary = folder + "/." + key + ".XXXXXX", final = folder + "/" + key;
  auto failed = [&](const char *what) {
    ++failedStores;
    warn(std::string(what) + " (" + std::strerror(errno) + ")");
  };
  File file{mkostemp(temporary.data(), O_CLOEXEC)};
  if (file.fd < 0)
    return failed("cannot be written");
  // rename() replaces a corrupt entry, or the same entry that another process wrote meanwhile; the bytes are equal.
  bool whole = writeAll(file.fd, header(payload)) && writeAll(file.fd, payload) && fchmod(file.fd, 0644) == 0 &&
               fsync(file.fd) == 0;
  if (!whole || rename(temporary.c_str(), final.c_str()) != 0) {
    failed("cannot be written");
    unlink(temporary.c_str());
  }
}

} // namespace tessera
