// DiskCache: compiled artifacts on disk, one file each, shared safely by any number of processes.
#pragma once
#include "base/artifact.h"
#include <atomic>
#include <optional>
#include <string>

namespace tessera {

// A file is a 48-byte header (magic, format version, payload length, hash128 of the payload) and the payload: the key
// and the artifact. Entries are written to a temporary file in the same directory, synced and renamed, so a reader sees
// a whole entry or none. Whatever does not check out counts as absent and is overwritten by the next store().
// Thread-safe.
class DiskCache {
public:
  // The directory to use: `wanted`, else TESSERA_CACHE, else ~/.cache/tessera/kernels; empty where there is none.
  static std::string directory(const std::string &wanted);

  // Creates `directory` where it is missing. An empty or unusable one makes a cache that holds nothing; that warns
  // once, on stderr, and is no error.
  explicit DiskCache(std::string directory);

  // `key` is what cacheKey() gives: 32 hexadecimal digits.
  std::optional<Artifact> load(const std::string &key);
  void store(const std::string &key, const Artifact &artifact);

  // Whole numbers since the cache was opened.
  struct Counts {
    int64_t hits, misses, corrupt, failedStores;
  };
  Counts counts() const { return {hits, misses, corrupt, failedStores}; }
  const std::string &path() const { return folder; }

private:
  void warn(const std::string &what);
  std::string folder; // empty: no cache
  std::atomic<int64_t> hits{0}, misses{0}, corrupt{0}, failedStores{0};
  std::atomic<bool> warned{false};
};

} // namespace tessera
