#include "models/layers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/net.hpp"

namespace bn {
namespace {

// The rows that options.freeze names.
std::vector<std::string> frozen_rows(const ModelOptions& options) {
  std::vector<std::string> frozen;
  const std::vector<std::string> rows = row_names(options);
  for (const std::string& name : options.freeze) {
    const size_t before = frozen.size();
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(frozen),
                 [&](const std::string& row) { return !name.empty() && row.starts_with(name); });
    if (frozen.size() == before) {
      throw ConfigError(fmt::format("model.freeze: no row of the network is called \"{0}\" or begins so", name));
    }
  }
  return frozen;
}

}  // namespace

Layers::Layers(const ModelOptions& options, const Shape& image) : options_(options), builder_(image) {
  builder_.freeze(frozen_rows(options));
  if (options.gamma == Affine::kFixed) builder_.fix(ParameterRole::kGamma);
  if (options.beta == Affine::kFixed) builder_.fix(ParameterRole::kBeta);
}

ValueId Layers::convolution(const std::string& name, ValueId x, const OpSpec& spec) {
  return normalize_and_activate(name, builder_.add(name + "/conv", spec, {x}, static_cast<float>(options_.init_scale)));
}

ValueId Layers::linear(const std::string& name, ValueId x, int64_t out_features) {
  return normalize_and_activate(name, builder_.add(name + "/linear", Linear{.out_features = out_features}, {x}));
}

// Paper: sec. 3.2, z = g(BN(Wu)); the bias is dropped where beta takes its role. After the nonlinearity, BN(g(Wu + b)),
// beta cannot take it: it moves the output of g, not its input.
ValueId Layers::normalize_and_activate(const std::string& name, ValueId x) {
  if (options_.normalization == Normalization::kNone) return activate(name, bias(name, x));
  switch (options_.placement) {
    case BatchNormPlacement::kBeforeActivation:
      return activate(name, batch_norm(name, x));
    case BatchNormPlacement::kAfterActivation:
      break;
  }
  return batch_norm(name, activate(name, bias(name, x)));
}

ValueId Layers::batch_norm(const std::string& name, ValueId x) {
  BatchNorm spec = options_.batch_norm;
  const auto& rows = options_.per_activation;
  if (std::find(rows.begin(), rows.end(), row_) != rows.end()) spec.scope = BatchNormScope::kPerActivation;
  return builder_.add(name + "/bn", spec, {x});
}

ValueId Layers::activate(const std::string& name, ValueId x) {
  return builder_.add(name + "/act", Activate{options_.activation}, {x});
}

void Layers::classifier(const std::string& logits, const std::string& loss, ValueId x, float weight) {
  const Linear spec{.out_features = options_.classes};
  builder_.loss(loss, bias(logits, builder_.add(logits + "/linear", spec, {x})), weight);
}

}  // namespace bn
