#include "models/layers.hpp"

#include <algorithm>

#include "bn/net.hpp"

namespace bn {

ValueId Layers::convolution(const std::string& name, ValueId x, const ConvolutionShape& shape) {
  const Conv2d spec{.out_channels = shape.out_channels,
                    .kernel = shape.kernel,
                    .stride = shape.stride,
                    .pad = shape.pad,
                    .folded = {}};
  return normalize_and_activate(name, builder_.add(name + "/conv", spec, {x}, static_cast<float>(options_.init_scale)));
}

ValueId Layers::separable_convolution(const std::string& name, ValueId x, const SeparableConv2d& spec) {
  return normalize_and_activate(name, builder_.add(name + "/conv", spec, {x}, static_cast<float>(options_.init_scale)));
}

ValueId Layers::linear(const std::string& name, ValueId x, int64_t out_features) {
  const Linear spec{.out_features = out_features, .folded = {}};
  return normalize_and_activate(name, builder_.add(name + "/linear", spec, {x}));
}

// Paper: sec. 3.2, z = g(BN(Wu)); the bias is dropped where beta takes its role.
ValueId Layers::normalize_and_activate(const std::string& name, ValueId x) {
  if (options_.normalization == Normalization::kNone) {
    x = builder_.add(name + "/bias", BiasActivation{}, {x});
  } else {
    BatchNorm batch_norm = options_.batch_norm;
    const auto& rows = options_.per_activation;
    if (std::find(rows.begin(), rows.end(), row_) != rows.end()) batch_norm.scope = BatchNormScope::kPerActivation;
    x = builder_.add(name + "/bn", batch_norm, {x});
  }
  return builder_.add(name + "/act", Activate{options_.activation}, {x});
}

void Layers::classifier(const std::string& logits, const std::string& loss, ValueId x, float weight) {
  const Linear spec{.out_features = options_.classes, .folded = {}};
  x = builder_.add(logits + "/linear", spec, {x});
  builder_.loss(loss, builder_.add(logits + "/bias", BiasActivation{}, {x}), weight);
}

}  // namespace bn
