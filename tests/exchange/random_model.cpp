#include "exchange/random_model.hpp"

#include <algorithm>
#include <filesystem>
#include <random>

#include "bn/cpu_backend.hpp"
#include "bn/evaluate.hpp"
#include "bn/models.hpp"
#include "bn/plan.hpp"

namespace bn::test {
namespace {

constexpr int64_t kBatch = 50;

void upload(Backend& backend, const Tensor& tensor, const std::vector<float>& values) {
  backend.upload(tensor.data, values.data(), tensor.bytes());
}

}  // namespace

RandomModel::RandomModel(const std::string& experiment, const std::string& input)
    : config_(parse_config(experiment + "data: {kind: folder, train: [train], validation: [validation], " + input +
                               "}\ntrain: {steps: 1}\n",
                           "random_model")),
      net_(build_network(config_.model)),
      backend_(make_cpu_backend({.threads = 1})) {
  parameters_ = std::make_unique<Parameters>(net_, *backend_, DecayScope::kWeights, false);
  parameters_->initialize(1, {});
  std::mt19937 random(1);
  const auto draw = [&](int64_t count, float low, float high) {
    std::vector<float> values(static_cast<size_t>(count));
    std::uniform_real_distribution<float> uniform(low, high);
    for (float& value : values) value = uniform(random);
    return values;
  };
  for (size_t i = 0; i < net_.parameters().size(); ++i) {
    const ParameterSpec& spec = net_.parameters()[i].spec;
    if (spec.role == ParameterRole::kWeight) continue;
    const float centre = spec.role == ParameterRole::kGamma ? 1.0F : 0.0F;
    const Tensor value = parameters_->value(static_cast<int>(i));
    upload(*backend_, value, draw(spec.shape.elements(), centre - 0.5F, centre + 0.5F));
  }
  for (size_t i = 0; i < net_.state().size(); ++i) {
    const bool is_variance = net_.state()[i].is_variance;
    const Tensor population = parameters_->population(static_cast<int>(i));
    upload(*backend_, population, draw(net_.state()[i].channels, is_variance ? 0.5F : -0.5F, is_variance ? 2 : 0.5F));
  }
}

std::vector<uint8_t> RandomModel::random_pixels(int64_t images, uint32_t seed) const {
  std::mt19937 random(seed);
  std::vector<uint8_t> pixels(static_cast<size_t>(images * net_.image_shape().elements()));
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random());
  return pixels;
}

std::vector<float> RandomModel::logits(std::span<const uint8_t> pixels) {
  return logits_of(net_, *parameters_, config_, pixels);
}

std::vector<float> logits_of(const Net& net, Parameters& parameters, const Config& config,
                             std::span<const uint8_t> pixels) {
  Backend& backend = parameters.backend();
  Plan plan = compile(net, parameters, backend,
                      {.batch = kBatch,
                       .purpose = Purpose::kEvaluateFolded,
                       .weights = parameters.has_average() ? WeightsCopy::kAverage : WeightsCopy::kCurrent});
  plan.pack();
  plan.begin({});
  Shape shape = net.image_shape();
  const int64_t image = shape.elements(), images = static_cast<int64_t>(pixels.size()) / image;
  shape.n = kBatch;
  std::vector<uint8_t> batch(static_cast<size_t>(shape.elements()));
  std::vector<float> logits(static_cast<size_t>(kBatch * net.classes())), all;
  for (int64_t first = 0; first < images; first += kBatch) {
    const int64_t count = std::min(kBatch, images - first);
    const std::span<const uint8_t> part =
        pixels.subspan(static_cast<size_t>(first * image), static_cast<size_t>(count * image));
    std::transform(part.begin(), part.end(), batch.begin(), [&](uint8_t pixel) {
      const int64_t threshold = config.data.binarize;
      return threshold < 0 ? pixel : static_cast<uint8_t>(pixel > threshold ? 255 : 0);
    });
    backend.load_images(plan.images(), dense(batch.data(), DType::kU8, shape), normalization_of(config.data));
    plan.forward();
    backend.download(logits.data(), plan.logits().data, plan.logits().bytes());
    all.insert(all.end(), logits.begin(), logits.begin() + count * net.classes());
  }
  return all;
}

std::string peers_python() {
  const std::string python = BN_PEERS_PYTHON;
  return std::filesystem::exists(python) ? python : "";
}

ProgramResult run_peer(const std::string& script, const std::vector<std::string>& arguments) {
  std::vector<std::string> command{peers_python(), std::string(BN_EXCHANGE_TESTS) + "/" + script};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return run_program(command, {.timeout = std::chrono::minutes(4)});
}

}  // namespace bn::test
