// Kernels that the language's tests trace: the texts of the architecture document, and one that is hard to order.
#pragma once
#include "dsl/dsl.h"

namespace tessera::dsl {
void gemm(Kernel &k);
void rmsNorm(Kernel &k);
void quantMatmul(Kernel &k);
void pagedAttention(Kernel &k);
void anyOrder(Kernel &k);

struct NamedKernel {
  const char *name;
  void (*define)(Kernel &);
};
inline constexpr NamedKernel kernels[] = {{"gemm", gemm},
                                          {"rms_norm", rmsNorm},
                                          {"quant_matmul", quantMatmul},
                                          {"paged_attention", pagedAttention},
                                          {"any_order", anyOrder}};
} // namespace tessera::dsl
