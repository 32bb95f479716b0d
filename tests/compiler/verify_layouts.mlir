// RUN: tessera-opt %s --tile-verify-layouts --split-input-file --verify-diagnostics

func.func @none(%n: index) {
  // expected-error @+1 {{yields 'tensor<16xi32>', which has no layout}}
  %a = tile.iota %n : tensor<16xi32>
  return
}

// -----

func.func @short(%n: index) {
  // expected-error @+1 {{whose layout covers another shape}}
  %a = tile.iota %n : tensor<16xi32, #tile.layout<lane = [1, 2, 4], reg = [], rep = [1]>>
  return
}
