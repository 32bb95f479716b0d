#include "tests/errors/wrong.h"

namespace tessera::dsl {

// Element-wise operators, numbers and conversions.
Table elements() {
  return {
      "tests/errors/elements.cpp",
      {
          {"shapes that do not stretch", "+ cannot stretch 64x32xf32 and 16x64xf32 to one shape",
           [](Kernel &) {
             Tile a = zeros({64, 32}), b = zeros({16, 64});
             a + b; // error-line
           }},
          {"floats of two widths", "* mixes 16x16xf16 and 16x16xf32; convert one with .to()",
           [](Kernel &) {
             Tile a = zeros({16, 16}, f16), b = zeros({16, 16});
             a *b; // error-line
           }},
          {"a comparison of two dtypes", "< mixes 16xi32 and 16xf32; convert one with .to()",
           [](Kernel &k) {
             Frame f(k);
             f.m.pos() < zeros({16}); // error-line
           }},
          {"signed and unsigned bytes", "+ mixes 16xu8 and 16xi8; convert one with .to()",
           [](Kernel &) {
             Tile a = zeros({16}, u8), b = zeros({16}, i8);
             a + b; // error-line
           }},
          {"an index with bytes", "- mixes 16xi8 and index; convert one with .to()",
           [](Kernel &k) {
             Dim M = k.dims("M");
             Tile a = zeros({16}, i8);
             a - M; // error-line
           }},
          {"a fraction with integers", "0.5 is not a whole number, as i32 needs",
           [](Kernel &) {
             Tile a = iota(16);
             a * 0.5; // error-line
           }},
          {"a number too large", "300 does not fit u8",
           [](Kernel &) {
             Tile a = zeros({16}, u8);
             a + 300; // error-line
           }},
          {"a float too large", "-1e+30 does not fit f16",
           [](Kernel &) {
             full({16}, -1e30, f16); // error-line
           }},
          {"a division by zero", "/ divides an integer by zero",
           [](Kernel &) {
             iota(16) / 0; // error-line
           }},
          {"a remainder of floats", "% needs integers, not 16xf32",
           [](Kernel &) {
             zeros({16}) % 2; // error-line
           }},
          {"bits of floats", "& needs integers or masks, not 16xf32",
           [](Kernel &) {
             Tile a = zeros({16});
             a & 1; // error-line
           }},
          {"a shift of a mask", "<< needs integers, not 16xi1",
           [](Kernel &) {
             Tile mask = iota(16) < 3;
             mask << 1; // error-line
           }},
          {"a sum of masks", "+ needs numbers (masks combine by & | ^ !), not 16xi1",
           [](Kernel &) {
             Tile a = iota(16) < 3, b = iota(16) > 1;
             a + b; // error-line
           }},
          {"not of integers", "! needs a mask, not 16xi32",
           [](Kernel &) {
             !iota(16); // error-line
           }},
          {"exp2 of integers", "exp2 needs floats, not 16xi32",
           [](Kernel &) {
             exp2(iota(16)); // error-line
           }},
          {"a fused multiply-add of halves", "fma needs f32, not 16xf16",
           [](Kernel &) {
             fma(zeros({16}, f16), 2, zeros({16}, f16)); // error-line
           }},
          {"a fused multiply-add of two shapes", "fma cannot stretch 16xf32 and 8xf32 to one shape",
           [](Kernel &) {
             fma(zeros({16}), 2, zeros({8})); // error-line
           }},
          {"floor of an index", "floor needs floats, not index",
           [](Kernel &k) {
             Dim M = k.dims("M");
             floor(M); // error-line
           }},
          {"a choice by integers", "where needs a mask (i1) first, not 16xi32",
           [](Kernel &) {
             where(iota(16), zeros({16}), 0); // error-line
           }},
          {"a choice of two dtypes", "where mixes 16xf32 and 16xf16; convert one with .to()",
           [](Kernel &) {
             where(iota(16) < 3, zeros({16}), zeros({16}, f16)); // error-line
           }},
          {"a choice by another shape", "where cannot stretch 8xi1 and 16xf32 to one shape",
           [](Kernel &) {
             where(iota(8) < 3, zeros({16}), 0); // error-line
           }},
          {"a choice of indices", "where cannot make 16xindex: positions in tiles are i32, convert them with .to(i32)",
           [](Kernel &k) {
             Dim M = k.dims("M");
             where(iota(16) < 3, M, 0); // error-line
           }},
          {"max of numbers", "max needs a tile among its operands",
           [](Kernel &) {
             max(1, 2); // error-line
           }},
          {"to a packed format", "16xf32 cannot become q4_0: packed formats exist only in memory",
           [](Kernel &) {
             zeros({16}).to(q4_0); // error-line
           }},
          {"to a mask", "16xf32 cannot become i1: compare it instead",
           [](Kernel &) {
             zeros({16}).to(i1); // error-line
           }},
          {"a tile of indices", "16xi32 cannot become index: only i32 and i64 scalars can",
           [](Kernel &) {
             iota(16).to(index); // error-line
           }},
          {"an index to a byte", "index cannot become u8: convert it to i32 first",
           [](Kernel &k) {
             Tile M = k.dims("M");
             M.to(u8); // error-line
           }},
      }};
}

} // namespace tessera::dsl
