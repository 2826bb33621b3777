// Fig. 1 b, c: how the distribution of one unit's input moves over training.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "bn/error.hpp"
#include "bn/evaluate.hpp"
#include "train/trainer.hpp"

namespace bn {
namespace {

std::string watched_op(const Net& net, const ProbeOptions& options) {
  const Node* node = net.find(options.op);
  if (node == nullptr) throw ConfigError(fmt::format("train.probe.op: the network has no op \"{}\"", options.op));
  const Value& input = net.values()[static_cast<size_t>(node->inputs[0].index)];
  if (options.unit < 0 || options.unit >= input.shape.elements()) {
    throw ConfigError(fmt::format("train.probe.unit: {} is out of range; the input of {} has {} units", options.unit,
                                  options.op, input.shape.elements()));
  }
  return input.name;
}

Plan probe_plan(const Net& net, Parameters& parameters, Backend& backend, DType activations,
                const ProbeOptions& options, const std::string& watched) {
  return compile(net, parameters, backend,
                 {.batch = options.images,
                  .purpose = Purpose::kStatistics,
                  .activations = activations,
                  .passes = {.fuse_activation = false, .eliminate_concat = false},
                  .keep = {"images", watched}});
}

// Linear interpolation between order statistics; sorts `values`.
double percentile(std::vector<float>& values, double percent) {
  const auto is_nan = [](float value) { return std::isnan(value); };
  if (std::ranges::any_of(values, is_nan)) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values);
  const double position = percent / 100.0 * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const size_t above = std::min(below + 1, values.size() - 1);
  const double share = position - static_cast<double>(below);
  return (1 - share) * values[below] + share * values[above];
}

}  // namespace

Probe::Probe(const Net& net, Parameters& parameters, Backend& backend, const Dataset& dataset, const DataOptions& data,
             DType activations, const ProbeOptions& options)
    : backend_(backend),
      options_(options),
      watched_(watched_op(net, options)),
      plan_(probe_plan(net, parameters, backend, activations, options, watched_)) {
  if (dataset.size() < options.images) {
    throw ConfigError(fmt::format("train.probe.images: the validation set has only {} images", dataset.size()));
  }
  Loader loader(dataset, data, {.batch = options.images, .split = Split::kValidation});
  Batch batch;
  loader.next(batch);
  backend.load_images(plan_.images(), batch.images, normalization_of(data));
}

LogRecord Probe::measure(LogRecord record) {
  plan_.pack();
  plan_.forward();
  const Tensor watched = plan_.output(watched_);
  const int64_t units = watched.shape.elements() / watched.shape.n;
  std::vector<float> values(static_cast<size_t>(watched.shape.n));
  std::vector<uint8_t> raw(static_cast<size_t>(watched.bytes()));
  backend_.download(raw.data(), watched.data, watched.bytes());
  for (int64_t i = 0; i < watched.shape.n; ++i) {
    const auto position = static_cast<size_t>(i * units + options_.unit);
    values[static_cast<size_t>(i)] = watched.dtype == DType::kBf16
                                         ? reinterpret_cast<const Bfloat16*>(raw.data())[position].to_float()
                                         : reinterpret_cast<const float*>(raw.data())[position];
  }
  for (const double percent : {15.0, 50.0, 85.0}) record.percentiles.push_back(percentile(values, percent));
  return record;
}

}  // namespace bn
