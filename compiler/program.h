// Program: one traced kernel as tile IR text, ready for compile(). Immutable and thread-safe; no MLIR in this header.
#pragma once
#include "base/artifact.h"
#include "base/hash.h"
#include "base/result.h"
#include <string>

namespace tessera {

struct Program {
  Signature signature;
  std::string config;      // the op's config as "bm=8,bn=32", for reports
  std::string text;        // tile IR with source locations
  std::string fingerprint; // tile IR without locations: what the cache key hashes
  Hash128 digest = {};     // of config and fingerprint, set by a trace so that finding a kernel again hashes nothing

  // The digest, computed where nobody has set it.
  Hash128 identity() const { return digest == Hash128() ? hash128(config + '\0' + fingerprint) : digest; }
};

} // namespace tessera
