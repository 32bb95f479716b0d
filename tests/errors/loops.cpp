#include "tests/errors/wrong.h"

namespace tessera::dsl {

// Loops and what they carry.
Table loops() {
  return {"tests/errors/loops.cpp",
          {
              {"another shape returned", "the loop carries 16x1xf32, but its body returns 16x16xf32",
               [](Kernel &k) {
                 Frame f(k);
                 loop(blocks(f.K, 16), zeros({16, 1}), [&](Range, Tile sum) {
                   return sum + zeros({16, 16}); // error-line
                 });
               }},
              {"another dtype returned", "the loop carries 16x16xf32 as tile 2 of 2, but its body returns 16x16xf16",
               [](Kernel &k) {
                 Frame f(k);
                 loop(blocks(f.K, 16), carry(zeros({16, 1}), zeros({16, 16})), [&](Range, Tile a, Tile b) {
                   Tile half = b.to(f16); // error-line
                   return carry(a, half);
                 });
               }},
              {"an outer tile returned", "the loop carries 16x1xf32, but its body returns 16x16xf32",
               [](Kernel &k) {
                 Frame f(k);
                 Tile other = zeros({16, 16});
                 loop(blocks(f.K, 16), zeros({16, 1}), [&](Range, Tile) { // error-line
                   return other;
                 });
               }},
              {"tiles in another order", "the loop carries 16x1xf32 as tile 1 of 2, but its body returns 16x16xf32",
               [](Kernel &k) {
                 Frame f(k);
                 loop(each(4), carry(zeros({16, 1}), zeros({16, 16})), [&](Tile, Tile a, Tile b) { // error-line
                   return carry(b, a);
                 });
               }},
              {"a start without a value", "this tile was never given a value in this kernel",
               [](Kernel &k) {
                 Frame f(k);
                 Tile start;
                 loop(blocks(f.K, 16), start, [&](Range, Tile sum) { return sum + 1; }); // error-line
               }},
              {"a block of minus one", "a block of -1 is not positive",
               [](Kernel &k) {
                 Frame f(k);
                 loop(blocks(f.K, -1), [&](Range) {}); // error-line
               }},
              {"a loop to zero", "a size of 0 is not positive",
               [](Kernel &) {
                 loop(each(0), [&](Tile) {}); // error-line
               }},
              {"a loop to a fraction", "a position or size is an index or i32 scalar, not f32",
               [](Kernel &k) {
                 Tile n = k.scalar("n", f32);
                 loop(each(n), [&](Tile) {}); // error-line
               }},
              {"a loop to a tile", "a position or size is an index or i32 scalar, not 16xi32",
               [](Kernel &) {
                 loop(each(iota(16)), [&](Tile) {}); // error-line
               }},
              {"a mistake in a nested body", "exp2 needs floats, not 16xi32",
               [](Kernel &k) {
                 Frame f(k);
                 loop(blocks(f.K, 16), zeros({16, 16}), [&](Range kk, Tile acc) {
                   return loop(each(4), acc, [&](Tile, Tile acc) {
                     Tile p = exp2(kk.pos()); // error-line
                     return dot(acc, p);
                   });
                 });
               }},
          }};
}

} // namespace tessera::dsl
