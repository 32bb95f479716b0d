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

// Right programs that a t4 cannot hold.
Table gpuTargets() {
  return {
      "tests/errors/targets.cpp",
      {
          {"more shared memory than the chip has",
           "this kernel needs 131072 bytes of shared memory; target t4 has 65536 for a block",
           [](Kernel &k) {
             auto [M, N] = k.dims("M", "N");
             Tensor A = k.in("A", f32, {M, N});
             Tensor C = k.out("C", f32, {N, M});
             auto [m, n] = k.parallel(blocks(M, 128), blocks(N, 256));
             Tile turned = trans(load(A(m, n))); // error-line
             store(C(n, m), turned);
           }},
          {"a product of 8-bit floats on a chip without them",
           "target t4 has no products of 8-bit floats, as l4, l40s, h100, h100-pcie, h200 have; convert the operands "
           "with "
           ".to(f16)",
           [](Kernel &k) {
             auto [M, N] = k.dims("M", "N");
             Tensor A = k.in("A", e4m3, {M, 32});
             Tensor B = k.in("B", e4m3, {32, N});
             Tensor C = k.out("C", f32, {M, N});
             auto [m, n] = k.parallel(blocks(M, 32), blocks(N, 32));
             Tile product = dot(load(A(m, all)), load(B(all, n))); // error-line
             store(C(m, n), product);
           }},
          {"a dot that unrolls too far for a thread",
           "this dot of depth 64 into 128x128xf32 unrolls to 8192 matrix or scalar multiply-adds; target t4 takes 4096",
           [](Kernel &k) {
             auto [M, N, K] = k.dims("M", "N", "K");
             Tensor A = k.in("A", f32, {M, K});
             Tensor B = k.in("B", f32, {K, N});
             Tensor C = k.out("C", f32, {M, N});
             auto [m, n] = k.parallel(blocks(M, 128), blocks(N, 128));
             Tile acc = loop(blocks(K, 64), zeros({128, 128}), [&](Range kk, Tile acc) {
               return dot(load(A(m, kk)), load(B(kk, n)), acc); // error-line
             });
             store(C(m, n), acc);
           }},
          {"a tile beyond a thread's registers",
           "this tile of 8x2048xf32 takes 4096 registers of each of 32 threads; target t4 takes 1024",
           [](Kernel &k) {
             auto [M, N, K] = k.dims("M", "N", "K");
             Tensor A = k.in("A", f32, {M, K});
             Tensor B = k.in("B", f32, {K, N});
             Tensor C = k.out("C", f32, {M, N});
             auto [m, n] = k.parallel(blocks(M, 8), blocks(N, 32));
             Tile acc = loop(blocks(K, 2048), zeros({8, 32}), [&](Range kk, Tile acc) {
               Tile deep = load(A(m, kk)); // error-line
               return dot(deep, load(B(kk, n)), acc);
             });
             store(C(m, n), acc);
           }},
          {"code that unrolls too far",
           "this kernel unrolls to 76928 operations a thread, 64 of them here; target t4 takes 16384",
           [](Kernel &k) {
             Dim N = k.dims("N");
             Tensor A = k.in("A", f32, {N});
             Tensor C = k.out("C", f32, {N});
             Range n = k.parallel(blocks(N, 16384));
             Tile x = load(A(n)); // error-line
             for (int i = 0; i < 300; ++i)
               x = x * x + 1;
             store(C(n), x);
           }},
      }};
}

} // namespace tessera::dsl
