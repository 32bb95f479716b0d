// How many multiprocessors a GPU has: what a launch has to keep busy.
#pragma once
#include "base/target.h"

namespace tessera {

// Streaming multiprocessors of the row's chip (vendor datasheets); 0 for a CPU.
int multiprocessors(const Target &target);

} // namespace tessera
