// RUN: tessera-opt %s --tile-align-variant | FileCheck %s

// CHECK: func.func @copy({{.*}}tile.dim = "N"}
// CHECK: func.func @copy_aligned({{.*}}tile.dim = "N", tile.divisor = 8 : i64}
// CHECK-SAME: tile.aligned
func.func @copy(%M: index {tile.dim = "M"}, %N: index {tile.dim = "N"},
    %x: !tile.view<?x?xf16> {tile.name = "x", tile.access = "in", tile.extents = ["M", "N"]}) attributes {tile.kernel} {
  return
}
