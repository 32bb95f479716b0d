#include "base/hash.h"
#include <cstring>

namespace tessera {

static uint64_t rotl(uint64_t x, int by) { return x << by | x >> (64 - by); }

static uint64_t finalMix(uint64_t k) {
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccdULL;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53ULL;
  return k ^ k >> 33;
}

Hash128 hash128(std::string_view bytes) {
  constexpr uint64_t c1 = 0x87c37b91114253d5ULL, c2 = 0x4cf5ad432745937fULL;
  uint64_t h1 = 0, h2 = 0;
  auto mix1 = [&](uint64_t k) { h1 ^= rotl(k * c1, 31) * c2; };
  auto mix2 = [&](uint64_t k) { h2 ^= rotl(k * c2, 33) * c1; };
  size_t i = 0;
  for (; i + 16 <= bytes.size(); i += 16) {
    uint64_t k[2];
    std::memcpy(k, bytes.data() + i, 16);
    mix1(k[0]);
    h1 = (rotl(h1, 27) + h2) * 5 + 0x52dce729;
    mix2(k[1]);
    h2 = (rotl(h2, 31) + h1) * 5 + 0x38495ab5;
  }
  if (i < bytes.size()) { // the tail, zero-padded, as the reference does byte by byte
    uint64_t k[2] = {0, 0};
    std::memcpy(k, bytes.data() + i, bytes.size() - i);
    if (bytes.size() - i > 8)
      mix2(k[1]);
    mix1(k[0]);
  }
  h1 ^= bytes.size();
  h2 ^= bytes.size();
  h1 += h2;
  h2 += h1;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h1 += h2;
  h2 += h1;
  return {h1, h2};
}

std::string Hash128::hex() const {
  std::string out;
  for (uint64_t word : {high, low})
    for (int shift = 60; shift >= 0; shift -= 4)
      out += "0123456789abcdef"[word >> shift & 15];
  return out;
}

} // namespace tessera
