// How fast this machine reads memory: the roof over decoding, which reads every weight once a token.
#pragma once

namespace tessera::cli {

// Bytes per second that `threads` threads read together from a buffer far larger than the caches; the best of a few
// passes. Takes about half a second and 256 MB for a moment.
double readBandwidth(int threads);

} // namespace tessera::cli
