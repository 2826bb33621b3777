// Rows that do not learn: what stays as it is, the work that they save, and the gradients that pass through them.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "support/error_message.hpp"
#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

constexpr int64_t kImagesAStep = 8;
const StepOptions kStep{.learning_rate = 0.05F, .sgd = {.momentum = 0.9F, .l2 = 0.01F}};

ModelOptions with_frozen(ModelOptions model, const std::vector<std::string>& rows) {
  model.freeze = rows;
  return model;
}

using Tensors = std::map<std::string, std::vector<float>>;

Tensors tensors_of(const Subject& subject) {
  Tensors tensors;
  for (const NamedTensor& named : subject.parameters.named_tensors()) {
    tensors[named.name] = read_floats(*subject.backend, named.tensor);
  }
  return tensors;
}

// "inception_3a" of "value/inception_3a/3x3/conv/w".
std::string row_of(const std::string& tensor) {
  const size_t begin = tensor.find('/') + 1;
  return tensor.substr(begin, tensor.find('/', begin) - begin);
}

TEST(Freeze, KeepsEveryBitOfItsRowsAndLetsTheOthersLearn) {
  const std::set<std::string> frozen{"conv1", "conv2", "inception_3a", "inception_3b"};
  for (const DecayScope scope : {DecayScope::kWeights, DecayScope::kAll}) {
    Subject subject(with_frozen(inception_batch_norm(), {"conv", "inception_3"}), {.decay_scope = scope});
    const Tensors before = tensors_of(subject);
    Plan plan = subject.compile({.batch = kImagesAStep});
    plan.pack();
    for (int64_t step = 0; step < 3; ++step) train_step(subject, plan, step, kStep);
    for (const auto& [name, values] : tensors_of(subject)) {
      EXPECT_EQ(same_bits(values, before.at(name)), frozen.count(row_of(name)) == 1) << name;
    }
  }
}

// batch_norm.gamma and .beta: fixed. The scale or the shift stays where it began; all else learns.
TEST(Freeze, FixesGammaAndBetaApart) {
  for (const auto& [gamma, beta] :
       {std::pair{Affine::kFixed, Affine::kLearned}, std::pair{Affine::kLearned, Affine::kFixed}}) {
    ModelOptions model = inception_batch_norm();
    model.gamma = gamma, model.beta = beta;
    Subject subject(model, {.decay_scope = DecayScope::kAll});
    const Tensors before = tensors_of(subject);
    Plan plan = subject.compile({.batch = kImagesAStep});
    plan.pack();
    for (int64_t step = 0; step < 3; ++step) train_step(subject, plan, step, kStep);
    const std::string fixed = gamma == Affine::kFixed ? "/gamma" : "/beta";
    for (const auto& [name, values] : tensors_of(subject)) {
      EXPECT_EQ(same_bits(values, before.at(name)), name.ends_with(fixed)) << name;
    }
  }
}

TEST(Freeze, ComputesNoGradientBelowWhichNothingLearns) {
  Subject subject(with_frozen(inception_batch_norm(), {"conv", "inception_3"}));
  Plan plan = subject.compile({.batch = kImagesAStep});
  plan.pack();
  subject.load(plan, subject.batch_for(plan, 0));
  std::set<std::string> rows;
  const std::vector<StepInfo> steps = plan.steps();
  plan.set_observer([&](int step, bool is_backward, double) {
    const std::string& name = steps[static_cast<size_t>(step)].name;
    if (is_backward) rows.insert(name.substr(0, name.find('/')));
  });
  plan.forward();
  plan.backward();
  EXPECT_EQ(rows, (std::set<std::string>{"average_pool", "inception_4a", "logits", "loss", "pool4"}));

  Subject all(inception_batch_norm());
  EXPECT_LT(plan.memory().activations,
            0.8 * static_cast<double>(all.compile({.batch = kImagesAStep}).memory().activations));
}

TEST(Freeze, GivesTheValuesOfEvaluationUpToWhereSomethingLearns) {
  Subject subject(with_frozen(inception_batch_norm(), {"conv", "inception_3a"}));
  std::vector<std::vector<float>> outputs;
  for (const Purpose purpose : {Purpose::kTrain, Purpose::kStatistics, Purpose::kEvaluate}) {
    Plan plan = subject.compile({.batch = kImagesAStep,
                                 .purpose = purpose,
                                 .passes = {.eliminate_concat = false},
                                 .keep = {"inception_3a/concat"}});
    plan.pack();
    subject.load(plan, subject.batch_for(plan, 0));
    plan.forward();
    outputs.push_back(read_floats(*subject.backend, plan.output("inception_3a/concat")));
  }
  EXPECT_EQ(outputs[0], outputs[2]);
  EXPECT_EQ(outputs[1], outputs[2]);
}

TEST(Freeze, KeepsThePopulationOfAlgorithm2) {
  Subject subject(with_frozen(inception_batch_norm(), {"conv1"}));
  const Tensors before = tensors_of(subject);
  Plan plan = subject.compile({.batch = kImagesAStep, .purpose = Purpose::kStatistics});
  plan.pack();
  subject.load(plan, subject.batch_for(plan, 0));
  plan.begin({.statistics_weight = 1});
  plan.forward();
  plan.update_statistics();
  for (const auto& [name, values] : tensors_of(subject)) {
    const bool changes = name.starts_with("population/") && row_of(name) != "conv1";
    EXPECT_NE(same_bits(values, before.at(name)), changes) << name;
  }
}

double loss_of(Subject& subject, Plan& plan) {
  plan.pack();
  subject.load(plan, subject.batch_for(plan, 0));
  plan.begin({});
  plan.forward();
  return plan.read_loss();
}

// A step along the gradient of a row below the frozen ones changes the loss as the gradient says. The frozen rows hold
// spatial and per-activation batch norms; the sigmoid leaves no kinks.
TEST(Freeze, LetsGradientsPass) {
  for (const auto& rows : {std::vector<std::string>{"inception_3a"}, {"inception_3", "inception_4a"}}) {
    Subject subject(with_frozen(inception_variants(), rows));
    Plan plan = subject.compile({.batch = kImagesAStep});
    loss_of(subject, plan);
    plan.backward();
    const int parameter = subject.parameter("conv2/reduce/conv/w");
    const Tensor weights = subject.parameters.value(parameter);
    const std::vector<float> gradient = read_floats(*subject.backend, subject.parameters.gradient(parameter));
    const std::vector<float> start = read_floats(*subject.backend, weights);
    double norm = 0;
    for (const float g : gradient) norm += static_cast<double>(g) * g;
    norm = std::sqrt(norm);
    ASSERT_GT(norm, 1e-5);
    const auto loss_at = [&](double distance) {
      std::vector<float> moved = start;
      for (size_t i = 0; i < moved.size(); ++i) moved[i] += static_cast<float>(distance * gradient[i] / norm);
      subject.backend->upload(weights.data, moved.data(), weights.bytes());
      return loss_of(subject, plan);
    };
    constexpr double kDistance = 0.05;
    EXPECT_NEAR((loss_at(kDistance) - loss_at(-kDistance)) / (2 * kDistance), norm, 0.02 * norm) << rows.size();
  }
}

TEST(Freeze, NamesRowsOfEachKindOfNetwork) {
  const Net net = build_network(with_frozen(mnist_batch_norm(), {"hidden1", "hidden3"}));
  for (const Node& node : net.nodes()) {
    const bool is_named = node.name.starts_with("hidden1/") || node.name.starts_with("hidden3/");
    EXPECT_EQ(node.is_frozen, is_named) << node.name;
  }
  EXPECT_EQ(error_message<ConfigError>([] {
              build_network(with_frozen(inception_batch_norm(), {"conv", "stem"}));
            }),
            "model.freeze: no row of the network is called \"stem\" or begins so");
  // The classifier is no row: it learns even where a name begins as its own does.
  EXPECT_EQ(error_message<ConfigError>([] { build_network(with_frozen(inception_batch_norm(), {"logits"})); }),
            "model.freeze: no row of the network is called \"logits\" or begins so");
}

}  // namespace
}  // namespace bn::test
