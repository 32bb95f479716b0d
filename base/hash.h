// A 128-bit content hash for cache keys and checksums: stable across runs, processes, machines and compilers.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace tessera {

struct Hash128 {
  uint64_t high = 0, low = 0;
  bool operator==(const Hash128 &) const = default;
  std::string hex() const; // 32 lower-case digits
};

// MurmurHash3_x64_128 (Austin Appleby, public domain algorithm), seed 0. Not cryptographic: it guards against
// corruption and collisions by accident, not against an attacker.
Hash128 hash128(std::string_view bytes);

} // namespace tessera
