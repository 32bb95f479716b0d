// The shapes that `bench op` runs by default, and valid arguments for any op at any shape.
#pragma once
#include "ops/all.h"
#include "runtime/device.h"
#include "runtime/module.h"

namespace tessera::bench {

// Sizes over the op's default shape, one a case: what the demo model does in decoding and prefill, and larger ones.
std::vector<ops::Sizes> casesOf(const ops::OpInfo &op);

// Buffers and scalars for one launch of `signature`; every index points at something that exists. `sizes` names all
// symbolic sizes.
struct CaseArguments {
  std::vector<Buffer> buffers; // one an argument; empty handles for scalars
  std::vector<Arg> args;       // refers to `buffers`
  double bytes = 0;            // of all buffers
};
Result<std::unique_ptr<CaseArguments>> argumentsOf(const Device &device, const Signature &signature,
                                                   const ops::Sizes &sizes);

} // namespace tessera::bench
