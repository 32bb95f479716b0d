// What stands for a tile that nobody reads.
#pragma once
#include "llvm/ADT/StringRef.h"

namespace tessera {

// On an arith.constant (unit): its value is never read, as where a loop's first step replaces what it begins with.
inline constexpr llvm::StringLiteral unreadAttr = "tile.unread";

} // namespace tessera
