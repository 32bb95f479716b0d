// Attention cases as a scheduler would hand them to the kernel, run whole or in parts and held to the oracle.
#pragma once
#include "ops/attention.h"
#include "ops/reference/reference.h"
#include "tests/conformance/harness.h"

namespace tessera::conformance {

// Sequences of given lengths; position p of sequence b has the same q, k and v whatever the pages are.
struct Sequences {
  ops::Attention op;
  std::vector<int32_t> lengths;

  std::vector<float> vector(int64_t b, int64_t p, int64_t head, uint32_t kind) const;
};

// Pages in random order with gaps, NaN wherever nothing was written, and table entries past a sequence's pages that
// would fault if they were followed.
struct Paged {
  reference::AttentionShape shape;
  std::vector<float> q, k, v;
  std::vector<int32_t> table, length;
};
Paged layOut(const Sequences &s, int64_t queries);

// Slopes and sinks that the op takes, one a head.
std::vector<float> slopesOf(const ops::Attention &op), sinksOf(const ops::Attention &op);

// o of one launch; of a partial op, of the parts and their merge.
std::vector<float> run(const Target &target, const ops::Attention &op, const Paged &p, ops::Attention::Config config);

// The same of an op with a codeGroup; `values` stay empty.
reference::Quantized runCodes(const Target &target, const ops::Attention &op, const Paged &p,
                              ops::Attention::Config config);

// Runs with the default config for so many queries and expects the oracle's values, by NMSE and by the adaptive rule.
void check(const Target &target, const Sequences &s, int64_t queries);
// On each of them, with one oracle for all.
void check(std::span<const Target *const> targets, const Sequences &s, int64_t queries);

} // namespace tessera::conformance
