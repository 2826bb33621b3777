#include "whole_net/formula.hpp"

#include <cmath>
#include <string>

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

}  // namespace bn::test
