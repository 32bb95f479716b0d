#include "tests/errors/wrong.h"

namespace tessera::dsl {

// Right programs that this target cannot hold.
Table targets() {
  return {"tests/errors/targets.cpp",
          {
              {"a tile larger than the target",
               "this tile of 128x1024xf32 needs 524288 bytes; target cpu-avx512 holds 65536",
               [](Kernel &k) {
                 Dim M = k.dims("M");
                 Tensor A = k.in("A", f32, {M, 1024});
                 Tensor C = k.out("C", f32, {M, 1024});
                 Range m = k.parallel(blocks(M, 128));
                 Tile big = load(A(m, all)); // error-line
                 store(C(m, all), big);
               }},
              {"an accumulator larger than the target",
               "this tile of 256x128xf32 needs 131072 bytes; target cpu-avx512 holds 65536",
               [](Kernel &k) {
                 auto [M, N, K] = k.dims("M", "N", "K");
                 Tensor A = k.in("A", f32, {M, K});
                 Tensor B = k.in("B", f32, {K, N});
                 Tensor C = k.out("C", f32, {M, N});
                 auto [m, n] = k.parallel(blocks(M, 256), blocks(N, 128));
                 Tile acc = zeros({256, 128}); // error-line
                 acc = loop(blocks(K, 8), acc,
                            [&](Range kk, Tile acc) { return dot(load(A(m, kk)), load(B(kk, n)), acc); });
                 store(C(m, n), acc);
               }},
          }};
}

} // namespace tessera::dsl
