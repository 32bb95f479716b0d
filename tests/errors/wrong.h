// Wrong programs, each with the message that it must yield, and the frame of a right kernel around the mistake.
#pragma once
#include "dsl/dsl.h"
#include <functional>
#include <string>
#include <vector>

namespace tessera::dsl {

// A kernel with one mistake. The line that the message must name is the first one after `name` in the program's file
// that ends in the comment "error-line".
struct Wrong {
  std::string name, message;
  std::function<void(Kernel &)> define;
};

// The parts of a right kernel that a mistake can be put into: sizes, a matrix of each kind, a grid of 16 x 16 blocks.
struct Frame {
  Dim M, N, K;
  Tensor A, B, W, x, C, S;
  Range m, n;
  explicit Frame(Kernel &k) {
    M = k.dims("M");
    N = k.dims("N");
    K = k.dims("K");
    A = k.in("A", f16, {M, K});
    B = k.in("B", f16, {K, N});
    W = k.in("W", q4_0, {N, K});
    x = k.in("x", f32, {M, 64});
    C = k.out("C", f32, {M, N});
    S = k.inOut("S", f32, {M, N});
    std::tie(m, n) = k.parallel(blocks(M, 16), blocks(N, 16));
  }
};

// One table a file.
struct Table {
  const char *file;
  std::vector<Wrong> programs;
};
Table declarations();
Table accesses();
Table elements();
Table products();
Table loops();
Table scopes();
Table targets();
Table gpuTargets(); // refused by compile(), for cpu-avx512

} // namespace tessera::dsl
