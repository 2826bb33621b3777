// The formula behind the parameters, images and labels of the fixtures; tests/fixtures/make_fixtures.py repeats it to
// the last bit.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "bn/parameters.hpp"

namespace bn::test {

constexpr int64_t kFixtureClasses = 10;

// 64 random bits: the output function of SplitMix64 at a counter, from a start that depends on the stream's name.
uint64_t mix(std::string_view stream, uint64_t counter);
double uniform(std::string_view stream, uint64_t counter);  // [-1, 1)

// Weights of variance 2 / fan_in, gammas around 1, betas and biases around 0.
void fill_parameters(Parameters& parameters);

enum class Pixels { kGrey, kBinary };

struct FixtureBatch {
  std::vector<uint8_t> images;  // NHWC
  std::vector<int32_t> labels;
  ImageNormalization normalization;
};
FixtureBatch fixture_batch(int64_t step, int64_t batch, const Shape& image, Pixels pixels);

// The norm of a tensor and its product with a pseudo-random vector, which sees the order of the elements too.
using Checksums = std::array<double, 2>;
Checksums checksums(std::string_view name, const Tensor& tensor, Backend& backend);

}  // namespace bn::test
