// How fast this machine reads memory: the roof over decoding, which reads every weight once a token.
#pragma once
#include <cstddef>

namespace tessera::cli {

// Bytes per second that `threads` threads read together from a buffer of `bytes`, which take that much memory for a
// moment; the best of seven passes.
double readBandwidth(int threads, size_t bytes);

} // namespace tessera::cli
