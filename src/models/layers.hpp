// The layer every network here is made of: linear map, batch normalisation or bias, nonlinearity.
#pragma once

#include <string>

#include "bn/model_options.hpp"
#include "bn/net.hpp"

namespace bn {

class Layers {
 public:
  Layers(const ModelOptions& options, const Shape& image);

  NetBuilder& builder() { return builder_; }
  void enter_row(const std::string& row) { row_ = row; }  // decides which batch norms are per-activation

  ValueId convolution(const std::string& name, ValueId x, const OpSpec& spec);  // Conv2d or SeparableConv2d
  ValueId linear(const std::string& name, ValueId x, int64_t out_features);
  // The last linear layer with its bias, and the loss over it.
  void classifier(const std::string& logits, const std::string& loss, ValueId x, float weight);

 private:
  ValueId normalize_and_activate(const std::string& name, ValueId x);
  ValueId bias(const std::string& name, ValueId x) { return builder_.add(name + "/bias", BiasActivation{}, {x}); }
  ValueId batch_norm(const std::string& name, ValueId x);
  ValueId activate(const std::string& name, ValueId x);

  const ModelOptions& options_;
  NetBuilder builder_;
  std::string row_;
};

Net build_inception(const InceptionTable& table, const ModelOptions& options);
Net build_mlp(const MlpTable& table, const ModelOptions& options);

}  // namespace bn
