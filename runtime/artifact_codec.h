// An artifact as bytes and back: the payload of a disk cache entry.
#pragma once
#include "base/artifact.h"
#include <optional>
#include <string>
#include <string_view>

namespace tessera {

// Little-endian; strings and lists are preceded by their 32-bit length. Deterministic.
std::string encodeArtifact(const Artifact &artifact);

// Nothing where the bytes are not exactly one well-formed artifact: every length is checked against what is left,
// every dim index, enumerator, divisor, block and number of threads against its range.
std::optional<Artifact> decodeArtifact(std::string_view bytes);

} // namespace tessera
