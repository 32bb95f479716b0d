// The shapes that `bench op` runs by default, and valid arguments for any op at any shape.
#pragma once
#include "ops/all.h"
#include "runtime/device.h"
#include "runtime/module.h"

namespace tessera::bench {

// Sizes over the op's default shape, one a case: what the demo model does in decoding and prefill, and larger ones.
// Rows of packed matrices are whole blocks of `dtype`.
std::vector<ops::Sizes> casesOf(const ops::OpInfo &op, DType dtype);

// The op's dtypes that the target's compiler takes.
std::vector<DType> dtypesOf(const ops::OpInfo &op, const Target &target);

// The op's default shape with `over` put over it.
ops::Sizes sizesOf(const ops::OpInfo &op, const ops::Sizes &over);
// "M=512,N=512" for reports: what is 0 is an option that is off, and is left out.
std::string shapeText(const ops::Sizes &sizes);

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
