#include "dsl/trace.h"
#include "tests/errors/wrong.h"

namespace tessera::dsl {

// Things used where they do not exist; and only the first mistake of several.
Table scopes() {
  return {"tests/errors/scopes.cpp",
          {
              {"a tile out of its loop",
               "this tile was made inside a loop that has ended: only what the loop carries comes out of it",
               [](Kernel &k) {
                 Frame f(k);
                 Tile last;
                 loop(blocks(f.K, 16), [&](Range kk) { last = load(f.A(f.m, kk)); });
                 last.to(f32); // error-line
               }},
              {"a range out of its loop",
               "this range was made inside a loop that has ended: only what the loop carries comes out of it",
               [](Kernel &k) {
                 Frame f(k);
                 Range last;
                 loop(blocks(f.K, 16), [&](Range kk) { last = kk; });
                 load(f.A(f.m, last)); // error-line
               }},
              {"a carried tile out of its loop",
               "this tile was made inside a loop that has ended: only what the loop carries comes out of it",
               [](Kernel &k) {
                 Frame f(k);
                 Tile kept;
                 loop(blocks(f.K, 16), zeros({16, 16}), [&](Range, Tile acc) {
                   kept = acc;
                   return acc + 1;
                 });
                 store(f.C(f.m, f.n), kept); // error-line
               }},
              {"a tile from one loop in the next",
               "this tile was made inside a loop that has ended: only what the loop carries comes out of it",
               [](Kernel &k) {
                 Frame f(k);
                 Tile step;
                 loop(each(4), [&](Tile i) { step = i; });
                 loop(each(4), [&](Tile i) {
                   i + step; // error-line
                 });
               }},
              {"a tile of another kernel", "this tile belongs to another kernel",
               [](Kernel &k) {
                 Tile other;
                 (void)traceKernel("other", "", [&](Kernel &) { other = zeros({16, 16}); });
                 Frame f(k);
                 store(f.C(f.m, f.n), other); // error-line
               }},
              {"a dim of another kernel", "this dim belongs to another kernel",
               [](Kernel &k) {
                 Dim other;
                 (void)traceKernel("other", "", [&](Kernel &inner) { other = inner.dims("M"); });
                 k.in("A", f32, {other}); // error-line
               }},
              {"a tensor of another kernel", "this tensor belongs to another kernel",
               [](Kernel &k) {
                 Tensor other;
                 (void)traceKernel("other", "", [&](Kernel &inner) { other = inner.in("A", f32, {64}); });
                 Frame f(k);
                 load(other(0)); // error-line
               }},
              {"a tile without a value", "this tile was never given a value in this kernel",
               [](Kernel &k) {
                 Frame f(k);
                 Tile nothing;
                 store(f.C(f.m, f.n), nothing); // error-line
               }},
              {"the first of many mistakes", "trans swaps the axes of a matrix, not of 16xf32",
               [](Kernel &k) {
                 Frame f(k);
                 Tile bad = trans(zeros({16})); // error-line
                 bad = dot(bad, exp2(f.m.pos())) + zeros({3, 5}, i8);
                 bad = loop(blocks(f.K, 0), bad, [&](Range kk, Tile b) { return reduceSum(load(f.A(kk, b)), 7); });
                 k.parallel(each(bad));
                 Tensor late = k.in("late", q4_0, {f.M, 64}); // what follows keeps its shape
                 for (const Tile &tile : {load(f.A(f.m, 3)), load(scales(late(f.m, all))), load(late(f.m.pos(), 1))})
                   bad = zeros({tile.shape()[0]}) + int(bad.shape().size());
                 store(f.x(bad, bad.shape()[0]), bad & 1.5);
               }},
          }};
}

} // namespace tessera::dsl
