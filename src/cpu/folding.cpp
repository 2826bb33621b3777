#include <cmath>

#include "cpu/library_ops.hpp"

namespace bn::cpu {

// In f32 this loses digits where a mean is many thousand deviations: the product and the bias then nearly cancel. Of
// real networks' probabilities it changes less than 1e-5. `evaluate --unfolded` does without.
void fold(float* w_folded, float* bias, const float* w, int64_t outputs, int64_t inputs, const Folded& folded,
          const OpIo& io, size_t first) {
  const auto* gamma_or_bias = io.w.at(first).as<const float>();
  for (int64_t o = 0; o < outputs; ++o) {
    float scale = 1.0F;
    if (folded.eps) {
      const float mean = io.state.at(0).as<const float>()[o], var = io.state.at(1).as<const float>()[o];
      scale = gamma_or_bias[o] / std::sqrt(var + *folded.eps);
      bias[o] = io.w.at(first + 1).as<const float>()[o] - scale * mean;
    } else {
      bias[o] = gamma_or_bias[o];
    }
    for (int64_t i = o * inputs; i < (o + 1) * inputs; ++i) w_folded[i] = scale * w[i];
  }
}

}  // namespace bn::cpu
