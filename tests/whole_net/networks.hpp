// The networks that the whole-net tests train: those of tests/fixtures/make_fixtures.py.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bn/model_options.hpp"
#include "bn/plan.hpp"
#include "whole_net/formula.hpp"

namespace bn::test {

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
