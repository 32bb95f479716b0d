#include "tests/errors/wrong.h"

namespace tessera::dsl {

// dot, shapes and reductions.
Table products() {
  return {"tests/errors/products.cpp",
          {
              {"inner extents", "dot cannot multiply 16x32xf32 by 16x64xf32: the inner extents 32 and 16 differ",
               [](Kernel &) {
                 dot(zeros({16, 32}), zeros({16, 64})); // error-line
               }},
              {"a vector in a dot", "dot multiplies two matrices, not 16x32xf32 by 32xf32",
               [](Kernel &) {
                 dot(zeros({16, 32}), zeros({32})); // error-line
               }},
              {"a dot of two dtypes",
               "dot cannot multiply 16x32xf16 by 32x16xf32: it takes two of f32, f16, bf16, e4m3 or e5m2, or u8 and i8",
               [](Kernel &) {
                 dot(zeros({16, 32}, f16), zeros({32, 16})); // error-line
               }},
              {"a dot of wide integers",
               "dot cannot multiply 16x32xi32 by 32x16xi32: it takes two of f32, f16, bf16, e4m3 or e5m2, or u8 and i8",
               [](Kernel &) {
                 dot(zeros({16, 32}, i32), zeros({32, 16}, i32)); // error-line
               }},
              {"an accumulator of another shape", "dot of 16x32xf32 and 32x8xf32 adds to 16x8xf32, not to 16x16xf32",
               [](Kernel &) {
                 dot(zeros({16, 32}), zeros({32, 8}), zeros({16, 16})); // error-line
               }},
              {"an accumulator of another dtype", "dot of 16x32xu8 and 32x8xi8 adds to 16x8xi32, not to 16x8xf32",
               [](Kernel &) {
                 dot(zeros({16, 32}, u8), zeros({32, 8}, i8), zeros({16, 8})); // error-line
               }},
              {"an axis out of range", "reduceSum along axis 2 of 16x32xf32, which has 2 axes",
               [](Kernel &) {
                 reduceSum(zeros({16, 32}), 2); // error-line
               }},
              {"a negative axis", "reduceMax along axis -1 of 16x32xf32, which has 2 axes",
               [](Kernel &) {
                 reduceMax(zeros({16, 32}), -1); // error-line
               }},
              {"a sum of bytes", "reduceSum takes floats, i32 or i64, not 16xi8; convert with .to()",
               [](Kernel &) {
                 reduceSum(zeros({16}, i8), 0); // error-line
               }},
              {"the largest of masks", "argMax takes floats, i32 or i64, not 16xi1; convert with .to()",
               [](Kernel &) {
                 argMax(iota(16) < 3, 0); // error-line
               }},
              {"a scan of a scalar", "scanSum along axis 0 of f32, which has 0 axes",
               [](Kernel &k) {
                 Tile s = k.scalar("s", f32);
                 scanSum(s, 0); // error-line
               }},
              {"a transposed vector", "trans swaps the axes of a matrix, not of 16xf32",
               [](Kernel &) {
                 trans(zeros({16})); // error-line
               }},
              {"a reshape that loses elements", "reshape cannot make 8x8xf32 of 16x8xf32: 64 elements of 128",
               [](Kernel &) {
                 reshape(zeros({16, 8}), {8, 8}); // error-line
               }},
              {"a reshape of a scalar", "reshape takes a tile and gives a tile: a scalar stretches by itself",
               [](Kernel &k) {
                 Tile s = k.scalar("s", f32);
                 reshape(s, {1, 1}); // error-line
               }},
              {"an extent of nothing", "a tile cannot have an extent of 0",
               [](Kernel &) {
                 zeros({16, 0}); // error-line
               }},
              {"a tile beyond any chip", "this tile has more than 2^31 elements",
               [](Kernel &) {
                 zeros({1 << 20, 1 << 20}); // error-line
               }},
              {"zeros of a packed format", "a tile cannot have the packed dtype q8_0",
               [](Kernel &) {
                 zeros({32}, q8_0); // error-line
               }},
              {"an iota of nothing", "a tile cannot have an extent of 0",
               [](Kernel &) {
                 iota(0); // error-line
               }},
          }};
}

} // namespace tessera::dsl
