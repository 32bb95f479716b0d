#include "tests/errors/wrong.h"

namespace tessera::dsl {

// load, store, atomicAdd and what they are subscripted with.
Table accesses() {
  return {
      "tests/errors/accesses.cpp",
      {
          {"a store to an input", "tensor 'x' is an input and cannot be stored to",
           [](Kernel &k) {
             Frame f(k);
             store(f.x(f.m, all), zeros({16, 64})); // error-line
           }},
          {"a load of an output", "tensor 'C' is an output and cannot be loaded: declare it inOut()",
           [](Kernel &k) {
             Frame f(k);
             load(f.C(f.m, f.n)); // error-line
           }},
          {"an atomic add to an output", "atomicAdd adds to what is there: declare tensor 'C' inOut()",
           [](Kernel &k) {
             Frame f(k);
             atomicAdd(f.C(f.m, f.n), zeros({16, 16})); // error-line
           }},
          {"too few subscripts", "tensor 'A' has 2 axes, but is given 1 subscript",
           [](Kernel &k) {
             Frame f(k);
             load(f.A(f.m)); // error-line
           }},
          {"too many subscripts", "tensor 'A' has 2 axes, but is given 3 subscripts",
           [](Kernel &k) {
             Frame f(k);
             load(f.A(f.m, 0, all)); // error-line
           }},
          {"all of a symbolic axis",
           "axis 1 of 'A' has the symbolic size K: walk it with blocks(), `all` needs a constant",
           [](Kernel &k) {
             Frame f(k);
             load(f.A(f.m, all)); // error-line
           }},
          {"a range of another dim", "axis 1 of 'A' has the size K, but the range runs to N",
           [](Kernel &k) {
             Frame f(k);
             load(f.A(f.m, f.n)); // error-line
           }},
          {"a range past a constant axis", "axis 1 of 'x' has the size 64, but the range runs to 96",
           [](Kernel &k) {
             Frame f(k);
             loop(blocks(96, 32), [&](Range j) {
               load(f.x(f.m, j)); // error-line
             });
           }},
          {"a range past its whole", "axis 1 of 'A' has the size K, but the range runs to K*2",
           [](Kernel &k) {
             Frame f(k);
             loop(blocks(2 * f.K, 32), [&](Range j) {
               load(f.A(f.m, j)); // error-line
             });
           }},
          {"a position past its axis", "position 64 is outside of axis 1 of 'x', whose size is 64",
           [](Kernel &k) {
             Frame f(k);
             load(f.x(f.m, 64)); // error-line
           }},
          {"a negative position", "position -1 is outside of axis 0 of 'A', whose size is M",
           [](Kernel &k) {
             Frame f(k);
             load(f.A(-1, 0)); // error-line
           }},
          {"a gather by a matrix",
           "axis 0 of 'x' is subscripted by 16x1xi32: use a range, an index or i32 scalar, or an i32 tile of rank 1",
           [](Kernel &k) {
             Frame f(k);
             load(f.x(f.m.col(), all)); // error-line
           }},
          {"a gather by floats",
           "axis 0 of 'x' is subscripted by 16xf32: use a range, an index or i32 scalar, or an i32 tile of rank 1",
           [](Kernel &k) {
             Frame f(k);
             load(f.x(zeros({16}), all)); // error-line
           }},
          {"gathers of two lengths", "axis 1 of 'x' gathers 8 rows and another axis 16: gathers go side by side",
           [](Kernel &k) {
             Frame f(k);
             load(f.x(f.m.pos(), iota(8))); // error-line
           }},
          {"a store of another shape", "this view of 'C' takes 16x16xf32, not 16x32xf32",
           [](Kernel &k) {
             Frame f(k);
             store(f.C(f.m, f.n), zeros({16, 32})); // error-line
           }},
          {"a store of another dtype", "this view of 'C' takes 16x16xf32, not 16x16xf16",
           [](Kernel &k) {
             Frame f(k);
             Tile acc = zeros({16, 16});
             store(f.C(f.m, f.n), acc.to(f16)); // error-line
           }},
          {"a mask of another shape", "a mask of 32xi1 does not stretch to 16x64xi1",
           [](Kernel &k) {
             Frame f(k);
             load(f.x(f.m, all), iota(32) < 5); // error-line
           }},
          {"a mask larger than the tile", "a mask of 16x64xi1 does not stretch to 1x64xi1",
           [](Kernel &k) {
             Frame f(k);
             Tile mask = zeros({16, 64}) < 1;
             load(f.x(f.m / 16, all), mask); // error-line
           }},
          {"a mask of floats", "a mask is i1, not 16x64xf32",
           [](Kernel &k) {
             Frame f(k);
             store(f.S(f.m, f.n), zeros({16, 16}), load(f.x(f.m, all))); // error-line
           }},
          {"a masked element", "a single element takes no mask",
           [](Kernel &k) {
             Frame f(k);
             load(f.x(0, 0), iota(1) < 1); // error-line
           }},
          {"a tensor from nowhere", "this tensor was never declared with in(), out() or inOut()",
           [](Kernel &k) {
             Frame f(k);
             Tensor T;
             load(T(f.m)); // error-line
           }},
          {"a packed tensor as it is", "tensor 'W' is packed (q4_0): load its codes(), scales() or mins()",
           [](Kernel &k) {
             Frame f(k);
             loop(blocks(f.K, 32), [&](Range kk) {
               load(f.W(f.n, kk)); // error-line
             });
           }},
          {"mins of a format without", "tensor 'W' has no mins: q4_0 stores codes and scales only",
           [](Kernel &k) {
             Frame f(k);
             loop(blocks(f.K, 32), [&](Range kk) {
               load(mins(f.W(f.n, kk))); // error-line
             });
           }},
          {"codes of a dense tensor", "tensor 'x' is f32: only packed tensors have codes, scales and mins",
           [](Kernel &k) {
             Frame f(k);
             load(codes(f.x(f.m, all))); // error-line
           }},
          {"part of a packed block", "a range of 16 columns of tensor 'W' is not a multiple of q4_0's block of 32",
           [](Kernel &k) {
             Frame f(k);
             loop(blocks(f.K, 16), [&](Range kk) {
               load(scales(f.W(f.n, kk))); // error-line
             });
           }},
          {"a packed column", "the columns of tensor 'W' are read by a range of whole blocks of 32",
           [](Kernel &k) {
             Frame f(k);
             load(codes(f.W(f.n, 0))); // error-line
           }},
          {"a range in odd groups", "a range of 16 positions does not fall into groups of 32",
           [](Kernel &k) {
             Frame f(k);
             f.m / 32; // error-line
           }},
          {"a range moved by half", "a range moves by a whole number of positions",
           [](Kernel &k) {
             Frame f(k);
             f.m + 0.5; // error-line
           }},
      }};
}

} // namespace tessera::dsl
