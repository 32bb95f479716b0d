// The flags that say which variant of a library op is meant: --config, --size and --dtype.
#pragma once
#include "base/result.h"
#include "ops/all.h"
#include <CLI/CLI.hpp>
#include <string>

namespace tessera::cli {

struct RequestFlags {
  std::string config, size, dtype;

  // The flags refer to this object, which must outlive the parser.
  void addTo(CLI::App &command);
  // Errors: no numbers where numbers belong, an unknown dtype.
  Result<ops::OpRequest> read() const;
};

} // namespace tessera::cli
