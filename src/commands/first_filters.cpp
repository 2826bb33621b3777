#include "commands/first_filters.hpp"

#include "bn/pictures.hpp"

namespace bn {

bool draw_first_filters(const TrainedModel& model, const std::string& path) {
  for (const Node& node : model.net.nodes()) {
    if (!std::holds_alternative<Conv2d>(node.spec) || !(node.inputs.at(0) == model.net.images())) continue;
    const WeightsCopy copy = model.averaged ? WeightsCopy::kAverage : WeightsCopy::kCurrent;
    const Tensor weights = model.parameters->value(node.parameters.at(0), copy);
    Filters filters{.count = weights.shape.n, .side = weights.shape.h, .channels = weights.shape.c};
    if (filters.channels != 1 && filters.channels != 3) return false;
    filters.weights.resize(static_cast<size_t>(weights.shape.elements()));
    model.parameters->backend().download(filters.weights.data(), weights.data, weights.bytes());
    draw_filters(filters, path);
    return true;
  }
  return false;
}

}  // namespace bn
