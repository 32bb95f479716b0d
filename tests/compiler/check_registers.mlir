// What a GPU's thread cannot hold, and code that grows too long, are refused once layouts say what a thread has.
// RUN: tessera-opt %s --tile-assign-gpu-layouts=target=a100 --tile-check-registers=target=a100 --split-input-file --verify-diagnostics

// 32 threads with 1024 words each are what the limit allows.
func.func @largest(%x: f32) attributes {tile.kernel} {
  %t = tile.splat %x : f32 -> tensor<128x256xf32>
  return
}

// -----
func.func @too_large(%x: f32) attributes {tile.kernel} {
  // expected-error @+1 {{this tile of 256x256xf32 takes 2048 registers of each of 32 threads; target a100 takes 1024}}
  %t = tile.splat %x : f32 -> tensor<256x256xf32>
  return
}

// -----
// Sixteen such tiles are as many operations as a thread's code may have; the seventeenth is too much.
func.func @too_long(%x: f32) attributes {tile.kernel} {
  // expected-error @+1 {{this kernel unrolls to 17408 operations a thread, 1024 of them here; target a100 takes 16384}}
  %t0 = tile.splat %x : f32 -> tensor<128x256xf32>
  %t1 = arith.negf %t0 : tensor<128x256xf32>
  %t2 = arith.negf %t1 : tensor<128x256xf32>
  %t3 = arith.negf %t2 : tensor<128x256xf32>
  %t4 = arith.negf %t3 : tensor<128x256xf32>
  %t5 = arith.negf %t4 : tensor<128x256xf32>
  %t6 = arith.negf %t5 : tensor<128x256xf32>
  %t7 = arith.negf %t6 : tensor<128x256xf32>
  %t8 = arith.negf %t7 : tensor<128x256xf32>
  %t9 = arith.negf %t8 : tensor<128x256xf32>
  %t10 = arith.negf %t9 : tensor<128x256xf32>
  %t11 = arith.negf %t10 : tensor<128x256xf32>
  %t12 = arith.negf %t11 : tensor<128x256xf32>
  %t13 = arith.negf %t12 : tensor<128x256xf32>
  %t14 = arith.negf %t13 : tensor<128x256xf32>
  %t15 = arith.negf %t14 : tensor<128x256xf32>
  %t16 = arith.negf %t15 : tensor<128x256xf32>
  return
}
