// Packed weights that a matrix operation multiplies: a thread's codes are whole words of memory, and words that lie
// side by side are its own, so that they come by wide loads and become its fragment in registers.
#pragma once
#include "compiler/tile/tile.h"

namespace tessera::gpu {

// The load of the codes that the dot's right operand is made of, element by element; null where there is none.
tile::LoadOp codesBehind(tile::DotOp dot);

// What a code costs between its word and the dot, in halves of an instruction: two planes and f32 are dear, f16 goes in
// pairs.
int64_t workOnCodes(tile::DotOp dot);

// Rows of the panel whose words are side by side in one access of 16 bytes.
int64_t rowsOfWords(tile::DotOp dot);

// Makes a load of codes one of their words, and unpacks these. Where the layout leaves a word's codes to several
// threads, nothing changes.
void loadWords(tile::LoadOp codes);

} // namespace tessera::gpu
