// StreamPlan: how the programs of a stream-K product share its steps, and what each has begun and finished.
#pragma once
#include "dsl/dsl.h"
#include "ops/gemm.h"

namespace tessera::ops {

// The product's blocks of C one after another, rows fastest, and the steps of k of each: a line of `blocks · steps`
// steps, of which worker w takes [begin(w), begin(w + 1)), a step more or less than the others (Osama et al., Stream-K,
// arXiv 2301.03598). Index scalars of the kernel that is being traced.
struct StreamPlan {
  dsl::Dim M, N, workers;
  Gemm::Config config;
  dsl::Tile rows, steps, total; // rows of blocks; steps of k a block; steps in all

  StreamPlan(dsl::Dim M, dsl::Dim N, dsl::Dim workers, dsl::Tile K, const Gemm::Config &c)
      : M(M), N(N), workers(workers), config(c), rows((M + (c.bm - 1)) / c.bm), steps((K + (c.bk - 1)) / c.bk),
        total(rows * ((N + (c.bn - 1)) / c.bn) * steps) {}

  dsl::Tile begin(dsl::Tile worker) const { return worker * total / workers; }
  // The worker that takes the step.
  dsl::Tile workerOf(dsl::Tile step) const { return ((step + 1) * workers + (total - 1)) / total - 1; }
  dsl::Range rowsOf(dsl::Tile block) const { return {block % rows * config.bm, M, config.bm, M}; }
  dsl::Range columnsOf(dsl::Tile block) const { return {block / rows * config.bn, N, config.bn, N}; }
};

} // namespace tessera::ops
