// Memory that a process holds without need.
#pragma once

namespace tessera {

// Gives back the pages of large shared libraries that were only read, LLVM's above all, and free memory of the heap.
// The pages come back from the file when they are touched again, so this costs time where it is done too often, never
// correctness. Does nothing where the system does not say which pages were written. Thread-safe.
void releaseLibraryPages();

} // namespace tessera
