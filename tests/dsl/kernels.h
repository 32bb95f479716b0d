// Kernels that the language's tests trace: the texts of the architecture document.
#pragma once
#include "dsl/dsl.h"

namespace tessera::dsl {
void gemm(Kernel &k);
void rmsNorm(Kernel &k);
void quantMatmul(Kernel &k);
void pagedAttention(Kernel &k);
} // namespace tessera::dsl
