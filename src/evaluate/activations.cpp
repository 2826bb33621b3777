#include "bn/activations.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

// The parts of a row's name end before a slash: "inception_3a" has "inception_3a/1x1/conv" and others.
std::string row_of(const std::string& op) { return op.substr(0, op.find('/')); }

// The node that makes the node's first input, past dropout, which changes nothing in evaluation.
const Node* before(const Net& net, const Node* node) {
  const Node* found = node == nullptr ? nullptr : net.producer_of(node->inputs.at(0));
  while (found != nullptr && std::holds_alternative<Dropout>(found->spec)) {
    found = net.producer_of(found->inputs.at(0));
  }
  return found;
}

bool averages_whole_map(const Net& net, const Node& node) {
  const auto* pool = std::get_if<Pool2d>(&node.spec);
  const Shape& map = net.values().at(static_cast<size_t>(node.inputs.at(0).index)).shape;
  return pool != nullptr && pool->kind == PoolKind::kAverage && pool->pad == 0 && pool->kernel == map.h &&
         pool->kernel == map.w;
}

float to_float(const uint8_t* values, DType dtype, int64_t index) {
  if (dtype == DType::kBf16) return reinterpret_cast<const Bfloat16*>(values)[index].to_float();
  return reinterpret_cast<const float*>(values)[index];
}

}  // namespace

std::string output_op_of_row(const Net& net, const std::string& row) {
  if (net.find(row) != nullptr) return row;
  const std::vector<bool> is_needed = net.needed_for_logits();
  std::vector<std::string> rows;
  std::string last;
  for (size_t i = 0; i < net.nodes().size(); ++i) {
    if (!is_needed[i]) continue;
    const std::string& op = net.nodes()[i].name;
    if (row_of(op) == row) last = op;
    if (rows.empty() || rows.back() != row_of(op)) rows.push_back(row_of(op));
  }
  if (last.empty()) {
    throw ConfigError(
        fmt::format("the network has no row '{}'; its rows are {}{}", row, join(rows), suggestion(row, rows)));
  }
  return last;
}

ImageOutput output_of_image(const Plan& plan, Backend& backend, const std::string& op, int64_t place) {
  const Tensor kept = plan.output(op);
  const Shape& shape = kept.shape;
  const int64_t positions = shape.h * shape.w, element = size_of(kept.dtype);
  // The rows of a slice of a concatenation lie further apart than its channels.
  const int64_t span = (positions - 1) * kept.row_stride + shape.c;
  std::vector<uint8_t> raw(static_cast<size_t>(span * element));
  const auto* first = static_cast<const uint8_t*>(kept.data) + place * positions * kept.row_stride * element;
  backend.download(raw.data(), first, span * element);
  ImageOutput output{.height = shape.h, .width = shape.w, .channels = shape.c};
  output.values.reserve(static_cast<size_t>(positions * shape.c));
  for (int64_t position = 0; position < positions; ++position) {
    for (int64_t c = 0; c < shape.c; ++c) {
      output.values.push_back(to_float(raw.data(), kept.dtype, position * kept.row_stride + c));
    }
  }
  return output;
}

std::vector<float> mean_over_positions(const ImageOutput& output) {
  std::vector<double> sums(static_cast<size_t>(output.channels));
  for (size_t i = 0; i < output.values.size(); ++i) sums[i % sums.size()] += static_cast<double>(output.values[i]);
  const auto positions = static_cast<double>(output.height * output.width);
  std::vector<float> means;
  for (const double sum : sums) means.push_back(static_cast<float>(sum / positions));
  return means;
}

ClassActivation::ClassActivation(const Net& net) {
  const Node* bias = net.producer_of(net.logits());
  const Node* linear = before(net, bias);
  const Node* pool = before(net, linear);
  const bool is_linear = linear != nullptr && std::holds_alternative<Linear>(linear->spec);
  if (!is_linear || pool == nullptr || !averages_whole_map(net, *pool)) {
    throw ConfigError(
        "this network has no class activation map: that needs an average pool over the whole feature map and one "
        "linear layer after it");
  }
  const Value& map = net.values().at(static_cast<size_t>(pool->inputs.at(0).index));
  features_ = map.name;
  channels_ = map.shape.c;
  weights_parameter_ = linear->parameters.at(0);
}

void ClassActivation::read_weights(const Parameters& parameters, WeightsCopy copy) {
  const Tensor weights = parameters.value(weights_parameter_, copy);
  weights_.resize(static_cast<size_t>(weights.shape.elements()));
  parameters.backend().download(weights_.data(), weights.data, weights.bytes());
}

ImageOutput ClassActivation::map(const ImageOutput& output, int32_t class_index) const {
  ImageOutput map{.height = output.height, .width = output.width, .channels = 1};
  const float* weights = &weights_[static_cast<size_t>(class_index * channels_)];
  for (int64_t position = 0; position < output.height * output.width; ++position) {
    const float* features = &output.values[static_cast<size_t>(position * channels_)];
    double sum = 0;
    for (int64_t c = 0; c < channels_; ++c) sum += static_cast<double>(weights[c]) * static_cast<double>(features[c]);
    map.values.push_back(static_cast<float>(sum));
  }
  return map;
}

}  // namespace bn
