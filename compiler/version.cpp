#include "compiler/compile.h"

namespace tessera {

std::string_view compilerVersion() {
  return "tessera 0.1.0, llvm 22, sources "
#include "source_hash.inc"
      ;
}

} // namespace tessera
