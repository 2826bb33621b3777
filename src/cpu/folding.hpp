// Batch normalisation, or a bias, folded into the op before it.
#pragma once

#include "bn/backend.hpp"

namespace bn::cpu {

// Paper: Algorithm 2, step 11. For each output o: w_folded[o, :] = scale[o] * w[o, :], with scale = gamma /
// sqrt(var + eps) and bias = beta - scale * mean; without batch normalisation scale = 1 and bias is the parameter.
// io.w holds gamma and beta (or the bias) from index `first` on. w_folded may be w.
void fold(float* w_folded, float* bias, const float* w, int64_t outputs, int64_t inputs, const Folded& folded,
          const OpIo& io, size_t first);

}  // namespace bn::cpu
