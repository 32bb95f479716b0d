#include "tests/errors/wrong.h"

namespace tessera::dsl {

// Sizes, arguments and the grid.
Table declarations() {
  return {
      "tests/errors/declarations.cpp",
      {
          {"a dim's name twice", "the name 'M' is taken by a dim already",
           [](Kernel &k) {
             k.dims("M");
             k.dims("M"); // error-line
           }},
          {"a tensor's name twice", "the name 'A' is taken by another argument already",
           [](Kernel &k) {
             Dim M = k.dims("M");
             k.in("A", f32, {M});
             k.out("A", f32, {M}); // error-line
           }},
          {"a scalar named as a dim", "the name 'M' is taken by a dim already",
           [](Kernel &k) {
             k.dims("M");
             k.scalar("M", f32); // error-line
           }},
          {"a name with a space", "'my tensor' is not a name: use letters, digits and underscores",
           [](Kernel &k) {
             k.in("my tensor", f32, {64}); // error-line
           }},
          {"no axis", "tensor 'A' has no axis: pass a number as a scalar()",
           [](Kernel &k) {
             k.in("A", f32, {}); // error-line
           }},
          {"an extent of zero", "an axis of 'A' has the size 0, which is not positive",
           [](Kernel &k) {
             k.in("A", f32, {64, 0}); // error-line
           }},
          {"a tile as an extent", "an axis of 'A' must have a size that a launch knows: a dim or a number, not a tile",
           [](Kernel &k) {
             Dim M = k.dims("M");
             k.in("A", f32, {M + 1}); // error-line
           }},
          {"a dim scaled by zero", "the dim 'M' is scaled by a number that is not positive",
           [](Kernel &k) {
             Dim M = k.dims("M");
             k.in("A", f32, {M / 0}); // error-line
           }},
          {"a dim from nowhere", "this dim was never declared with dims()",
           [](Kernel &k) {
             Dim M;
             k.in("A", f32, {M}); // error-line
           }},
          {"a tensor of indices", "tensor 'A' cannot have the dtype index: positions in memory are i32",
           [](Kernel &k) {
             k.in("A", index, {64}); // error-line
           }},
          {"a packed output", "tensor 'W' is packed (q8_0) and can only be read",
           [](Kernel &k) {
             k.out("W", q8_0, {64, 64}); // error-line
           }},
          {"a packed vector", "tensor 'W' is packed (q8_0) and must be a matrix",
           [](Kernel &k) {
             k.in("W", q8_0, {64}); // error-line
           }},
          {"half a packed block", "tensor 'W' has 48 columns, but q4_1 packs blocks of 32",
           [](Kernel &k) {
             k.in("W", q4_1, {64, 48}); // error-line
           }},
          {"a packed scalar", "scalar 's' cannot have the dtype q4_0",
           [](Kernel &k) {
             k.scalar("s", q4_0); // error-line
           }},
          {"two grids", "parallel() is called twice: a kernel has one grid",
           [](Kernel &k) {
             Frame f(k);
             k.parallel(each(f.M)); // error-line
           }},
          {"a grid of a loaded size", "a grid axis must have a size that a launch knows: a dim or a number, not a tile",
           [](Kernel &k) {
             Tensor length = k.in("length", i32, {8});
             k.parallel(each(load(length(0)))); // error-line
           }},
          {"a grid block of zero", "a block of 0 is not positive",
           [](Kernel &k) {
             Dim M = k.dims("M");
             k.parallel(blocks(M, 0)); // error-line
           }},
          {"no grid", "the kernel has no grid: call parallel()",
           [](Kernel &k) {
             Tensor C = k.out("C", f32, {64}); // error-line
             store(C(0), full({}, 1));
           }},
          {"no output", "the kernel has no output: declare one with out() or inOut()",
           [](Kernel &k) {
             Dim M = k.dims("M");
             Tensor A = k.in("A", f32, {M});
             Tile m = k.parallel(each(M)); // error-line
             load(A(m));
           }},
          {"an output never stored to", "nothing is stored to 'C'",
           [](Kernel &k) {
             Dim M = k.dims("M");
             k.out("C", f32, {M}); // error-line
             k.parallel(each(M));
           }},
          {"a dim of no tensor", "no tensor has the size 'K', so a launch cannot know it",
           [](Kernel &k) {
             Dim M = k.dims("M");
             k.dims("K"); // error-line
             Tensor C = k.out("C", f32, {M});
             Tile m = k.parallel(each(M));
             store(C(m), full({}, 1));
           }},
      }};
}

} // namespace tessera::dsl
