// The networks that the whole-net tests train, and the formula behind their parameters, images and labels: those of
// tests/fixtures/make_fixtures.py.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "bn/model_options.hpp"
#include "bn/parameters.hpp"
#include "bn/plan.hpp"

namespace bn::test {

// --- The formula, which make_fixtures.py repeats to the last bit.

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

// --- The networks.

ModelOptions mnist_batch_norm();
ModelOptions inception_batch_norm();
ModelOptions inception_batch_norm_after();  // batch_norm.placement: after_activation
ModelOptions inception_plain();             // biases, local response normalisation, auxiliary head
ModelOptions inception_variants();          // sigmoid, separable stem, one module per-activation

struct SubjectOptions {
  DecayScope decay_scope = DecayScope::kWeights;
  int threads = 2;
};

// A network with its parameters on a backend of its own, the CPU's unless another is given.
struct Subject {
  explicit Subject(const ModelOptions& model, const SubjectOptions& options = {});
  explicit Subject(Net network, const SubjectOptions& options = {});
  Subject(Net network, std::unique_ptr<Backend> its_backend, DecayScope decay_scope);

  Plan compile(const PlanOptions& options) { return bn::compile(net, parameters, *backend, options); }
  void load(Plan& plan, const FixtureBatch& batch) const;
  FixtureBatch batch_for(const Plan& plan, int64_t step) const;
  int parameter(const std::string& name) const;  // its index

  Net net;
  std::unique_ptr<Backend> backend;
  Parameters parameters;
};

std::vector<float> read_floats(Backend& backend, const Tensor& tensor);
bool same_bits(const std::vector<float>& a, const std::vector<float>& b);

// One step of training: everything between two batches.
struct StepOptions {
  float learning_rate = 0;
  Parameters::SgdOptions sgd{};
  float statistics_decay = 0.9F;
};
void train_step(Subject& subject, Plan& plan, const FixtureBatch& batch, int64_t step, const StepOptions& options);
// Trains on the batch of this step.
void train_step(Subject& subject, Plan& plan, int64_t step, const StepOptions& options);

}  // namespace bn::test
