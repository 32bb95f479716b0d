// What a target cannot hold is refused at the operation that makes it, before anything is unrolled.
// RUN: tessera-opt %s --tile-check-sizes=target=cpu-avx512 --split-input-file --verify-diagnostics

// 128 x 128 f32 is exactly what the row holds.
func.func @largest(%x: f32) attributes {tile.kernel} {
  %t = tile.splat %x : f32 -> tensor<128x128xf32>
  return
}

// -----
func.func @too_large(%x: f32) attributes {tile.kernel} {
  // expected-error @+1 {{this tile of 128x129xf32 needs 66048 bytes; target cpu-avx512 holds 65536}}
  %t = tile.splat %x : f32 -> tensor<128x129xf32>
  return
}

// -----
func.func @too_deep(%a: tensor<32x512xf32>, %b: tensor<512x32xf32>, %c: tensor<32x32xf32>) attributes {tile.kernel} {
  // expected-error @+1 {{this dot of depth 512 into 32x32xf32 unrolls to 32768 vector multiply-adds; target cpu-avx512 takes 4096}}
  %d = tile.dot %a, %b, %c : tensor<32x512xf32>, tensor<512x32xf32> -> tensor<32x32xf32>
  return
}
