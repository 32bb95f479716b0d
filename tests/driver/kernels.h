// PTX written by hand for the tests of the CUDA driver, with the signatures that launch it.
#pragma once
#include "base/artifact.h"
#include <string>

namespace tessera::test {

// y[i] += a * x[i] for i < N, 128 a block.
Artifact saxpy();
// s[b] = the sum of the 256 elements that block b owns of x[N], through a tree in dynamic shared memory.
Artifact blockSums();
// Stores to y[N], one element past the end of y[N].
Artifact storeOutside();
// y[2, 3, 5], a program an element: the one at (x, y, z) stores x + 100 y + 10000 z, which tells how axes are mapped.
Artifact gridPositions();

} // namespace tessera::test
