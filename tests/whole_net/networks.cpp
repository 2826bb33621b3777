#include "whole_net/networks.hpp"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>

#include "bn/cpu_backend.hpp"
#include "bn/models.hpp"
#include "bn/rng.hpp"

namespace bn::test {
namespace {

float parameter_value(const ParameterInfo& parameter, uint64_t element) {
  const double draw = uniform(parameter.name, element);
  switch (parameter.spec.role) {
    case ParameterRole::kWeight:
      return static_cast<float>(draw * std::sqrt(6.0 / static_cast<double>(parameter.spec.fan_in)));
    case ParameterRole::kGamma:
      return static_cast<float>(1.0 + 0.25 * draw);
    case ParameterRole::kBeta:
    case ParameterRole::kBias:
      break;
  }
  return static_cast<float>(0.25 * draw);
}

// 32x32 -> 16 -> 8 -> 4 -> 2 -> 1: every max pool of stride 2 and pool4 have windows that reach beyond the image.
InceptionTable small_table() {
  InceptionTable table{.image_size = 32, .image_channels = 3};
  table.rows = {
      {.name = "conv1", .type = RowType::kConvolution, .patch = 5, .stride = 2, .filters = 16},
      {.name = "pool1", .type = RowType::kMaxPool, .patch = 3, .stride = 2},
      {.name = "conv2", .type = RowType::kConvolution, .patch = 3, .filters = 24, .reduce = 16},
      {.name = "inception_3a",
       .conv1x1 = 16,
       .conv3x3_reduce = 16,
       .conv3x3 = 24,
       .double3x3_reduce = 8,
       .double3x3 = 16,
       .pool = PoolKind::kAverage,
       .projection = 8},
      {.name = "inception_3b",
       .stride = 2,
       .conv3x3_reduce = 16,
       .conv3x3 = 24,
       .double3x3_reduce = 16,
       .double3x3 = 24,
       .pool = PoolKind::kMax},
      {.name = "inception_4a",
       .conv1x1 = 24,
       .conv3x3_reduce = 16,
       .conv3x3 = 32,
       .double3x3_reduce = 16,
       .double3x3 = 24,
       .pool = PoolKind::kMax,
       .projection = 16},
      {.name = "pool4", .type = RowType::kAveragePool, .patch = 3, .stride = 2},
      {.name = "average_pool", .type = RowType::kAveragePool},
  };
  return table;
}

ModelOptions small_inception(InceptionTable table) {
  ModelOptions model;
  model.table = std::move(table);
  model.classes = kFixtureClasses;
  return model;
}

}  // namespace

uint64_t mix(std::string_view stream, uint64_t counter) {
  uint64_t z = hash_name(stream) + counter * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

double uniform(std::string_view stream, uint64_t counter) {
  return static_cast<double>(mix(stream, counter) >> 11U) * 0x1p-52 - 1.0;
}

void fill_parameters(Parameters& parameters) {
  parameters.initialize(1, {});  // velocities and statistics
  const auto& infos = parameters.net().parameters();
  for (size_t i = 0; i < infos.size(); ++i) {
    std::vector<float> values(static_cast<size_t>(infos[i].spec.shape.elements()));
    for (size_t k = 0; k < values.size(); ++k) values[k] = parameter_value(infos[i], k);
    const Tensor target = parameters.value(static_cast<int>(i));
    parameters.backend().upload(target.data, values.data(), target.bytes());
  }
}

FixtureBatch fixture_batch(int64_t step, int64_t batch, const Shape& image, Pixels pixels) {
  constexpr int kMiddle = 79;
  const auto size = static_cast<uint64_t>(image.h * image.w * image.c);
  FixtureBatch result;
  for (int64_t i = 0; i < batch; ++i) {
    const auto index = static_cast<uint64_t>(step * batch + i);
    const uint64_t label = mix("labels", index) % kFixtureClasses;
    result.labels.push_back(static_cast<int32_t>(label));
    for (uint64_t pixel = 0; pixel < size; ++pixel) {
      const uint64_t noise = mix("noise", index * size + pixel) >> 59U;
      const uint64_t pattern = mix("pattern", label * size + pixel) >> 57U;
      const auto byte = static_cast<uint8_t>(noise + pattern);
      result.images.push_back(pixels == Pixels::kBinary ? static_cast<uint8_t>(byte > kMiddle) : byte);
    }
  }
  const auto channels = static_cast<size_t>(image.c);
  const bool is_binary = pixels == Pixels::kBinary;
  result.normalization = {.mean = std::vector<float>(channels, is_binary ? 0.0F : kMiddle),
                          .scale = std::vector<float>(channels, is_binary ? 1.0F : 1.0F / 32)};
  return result;
}

Checksums checksums(std::string_view name, const Tensor& tensor, Backend& backend) {
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  backend.download(values.data(), tensor.data, tensor.bytes());
  const std::string stream = std::string(name) + "/projection";
  double squares = 0, projection = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    squares += static_cast<double>(values[i]) * values[i];
    projection += values[i] * uniform(stream, i);
  }
  return {std::sqrt(squares), projection};
}

ModelOptions mnist_batch_norm() {
  ModelOptions model;
  model.table = MlpTable{};
  model.classes = kFixtureClasses;
  model.activation = Activation::kSigmoid;
  return model;
}

ModelOptions inception_batch_norm() { return small_inception(small_table()); }

ModelOptions inception_batch_norm_after() {
  ModelOptions model = inception_batch_norm();
  model.placement = BatchNormPlacement::kAfterActivation;
  return model;
}

ModelOptions inception_plain() {
  InceptionTable table = small_table();
  table.local_response_norm_after = {"pool1", "conv2"};
  table.local_response_norm.alpha = 0.25F;  // large enough to be seen in the losses
  table.auxiliary = AuxiliaryHead{.after = "inception_3a", .filters = 16, .units = 24};
  ModelOptions model = small_inception(std::move(table));
  model.normalization = Normalization::kNone;
  model.local_response_norm = true;
  return model;
}

ModelOptions inception_variants() {
  InceptionTable table = small_table();
  table.rows[0].depth_multiplier = 4;
  ModelOptions model = small_inception(std::move(table));
  model.activation = Activation::kSigmoid;
  model.per_activation = {"inception_4a"};
  return model;
}

Subject::Subject(const ModelOptions& model, const SubjectOptions& options) : Subject(build_network(model), options) {}

Subject::Subject(Net network, const SubjectOptions& options)
    : Subject(std::move(network), make_cpu_backend({.threads = options.threads}), options.decay_scope) {}

Subject::Subject(Net network, std::unique_ptr<Backend> its_backend, DecayScope decay_scope)
    : net(std::move(network)), backend(std::move(its_backend)), parameters(net, *backend, decay_scope, false) {
  fill_parameters(parameters);
}

FixtureBatch Subject::batch_for(const Plan& plan, int64_t step) const {
  const Shape image = net.image_shape();
  return fixture_batch(step, plan.options().batch, image, image.c == 1 ? Pixels::kBinary : Pixels::kGrey);
}

void Subject::load(Plan& plan, const FixtureBatch& batch) const {
  Tensor images = plan.images();
  images.dtype = DType::kU8;
  images.data = const_cast<uint8_t*>(batch.images.data());  // only read
  backend->load_images(plan.images(), images, batch.normalization);
  plan.set_labels(batch.labels.data());
}

int Subject::parameter(const std::string& name) const {
  const auto& infos = net.parameters();
  for (size_t i = 0; i < infos.size(); ++i) {
    if (infos[i].name == name) return static_cast<int>(i);
  }
  throw std::runtime_error("no parameter " + name);
}

std::vector<float> read_floats(Backend& backend, const Tensor& tensor) {
  std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
  backend.download(values.data(), tensor.data, tensor.bytes());
  return values;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

void train_step(Subject& subject, Plan& plan, const FixtureBatch& batch, int64_t step, const StepOptions& options) {
  subject.load(plan, batch);
  const float weight = moving_average_weight(options.statistics_decay, ++subject.parameters.statistics_updates);
  plan.begin(
      {.step = static_cast<uint64_t>(step), .learning_rate = options.learning_rate, .statistics_weight = weight});
  plan.forward();
  plan.backward();
  plan.update_statistics();
  subject.backend->update({.updates = subject.parameters.sgd_updates(options.sgd, plan.step_state())});
  plan.pack();
}

void train_step(Subject& subject, Plan& plan, int64_t step, const StepOptions& options) {
  train_step(subject, plan, subject.batch_for(plan, step), step, options);
}

}  // namespace bn::test
