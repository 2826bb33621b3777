// Ten steps of training against PyTorch's, whose numbers are in tests/fixtures.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

constexpr int64_t kSteps = 10;
const char* const kAuxiliaryLoss = "auxiliary/loss";
// oneDNN's batch norm and bf16 weight gradients need this: their threads wait for each other in spinning barriers,
// which is hundreds of times slower where other tests share the cores.
constexpr int kOneThread = 1;

struct FixtureCase {
  std::string name;
  ModelOptions (*model)();
  BatchNormImplementation implementation = BatchNormImplementation::kCustom;
  PlanPasses passes{.merge_siblings = MergeSiblings::kNever};
  MomentumKind momentum = MomentumKind::kClassical;
  DecayScope decay_scope = DecayScope::kWeights;
  int threads = 2;
  std::string label{};  // added to the test's name
};

std::ostream& operator<<(std::ostream& out, const FixtureCase& fixture) { return out << fixture.name << fixture.label; }

ModelOptions model_of(const FixtureCase& fixture) {
  ModelOptions model = fixture.model();
  model.batch_norm.implementation = fixture.implementation;
  return model;
}

nlohmann::json read_fixture(const std::string& name) {
  std::ifstream file(BN_FIXTURES "/ten_steps.json");
  if (!file) throw std::runtime_error("cannot read the fixtures");
  return nlohmann::json::parse(file).at(name);
}

StepOptions step_options(const FixtureCase& fixture, const nlohmann::json& numbers) {
  return {.learning_rate = numbers.at("learning_rate").get<float>(),
          .sgd = {.momentum = numbers.at("momentum").get<float>(),
                  .l2 = numbers.at("l2").get<float>(),
                  .kind = fixture.momentum},
          .statistics_decay = numbers.at("statistics_decay").get<float>()};
}

// A hundred float roundings, or a few times what rounding errors alone have done to PyTorch's run in double precision.
double tolerance(const nlohmann::json& spread) { return std::max(1e-5, 4 * spread.get<double>()); }

void expect_checksums(const nlohmann::json& numbers, const std::string& group, const std::string& name,
                      const Checksums& actual) {
  const auto expected = numbers.at(group).at(name).get<Checksums>();
  const double bound = tolerance(numbers.at("rounding_spread").at(group)) * expected[0];
  EXPECT_NEAR(actual[0], expected[0], bound) << "norm of " << name << " in " << group;
  EXPECT_NEAR(actual[1], expected[1], bound) << "projection of " << name << " in " << group;
}

double mean_of(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

class AgainstPyTorch : public testing::TestWithParam<FixtureCase> {
 protected:
  AgainstPyTorch()
      : numbers_(read_fixture(GetParam().name)),
        subject_(model_of(GetParam()), {.decay_scope = GetParam().decay_scope, .threads = GetParam().threads}) {}

  int64_t batch() const { return numbers_.at("batch").get<int64_t>(); }
  PlanOptions plan_options(Purpose purpose) const {
    return {.batch = batch(), .purpose = purpose, .passes = GetParam().passes};
  }

  void expect_loss(const std::string& group, int64_t step, double actual) const {
    const auto k = static_cast<size_t>(step);
    const double expected = numbers_.at(group).at(k).get<double>();
    const double allowed = tolerance(numbers_.at("rounding_spread").at(group).at(k));
    EXPECT_NEAR(actual, expected, allowed * expected) << group << " at step " << step;
  }

  void expect_gradients() {
    const auto& infos = subject_.net.parameters();
    ASSERT_EQ(infos.size(), numbers_.at("first_gradients").size());
    for (size_t i = 0; i < infos.size(); ++i) {
      const Tensor gradient = subject_.parameters.gradient(static_cast<int>(i));
      expect_checksums(numbers_, "first_gradients", infos[i].name,
                       checksums(infos[i].name, gradient, *subject_.backend));
    }
  }

  void expect_values_and_population() {
    const auto& infos = subject_.net.parameters();
    for (size_t i = 0; i < infos.size(); ++i) {
      const Tensor value = subject_.parameters.value(static_cast<int>(i));
      expect_checksums(numbers_, "values", infos[i].name, checksums(infos[i].name, value, *subject_.backend));
    }
    const auto& states = subject_.net.state();
    ASSERT_EQ(states.size(), numbers_.at("population").size());
    for (size_t i = 0; i < states.size(); ++i) {
      const Tensor population = subject_.parameters.population(static_cast<int>(i));
      expect_checksums(numbers_, "population", states[i].name,
                       checksums(states[i].name, population, *subject_.backend));
    }
  }

  void expect_evaluation(Purpose purpose) {
    Plan plan = subject_.compile(plan_options(purpose));
    plan.pack();
    subject_.load(plan, subject_.batch_for(plan, kSteps));
    plan.forward();
    const std::vector<float> logits = read_floats(*subject_.backend, plan.logits());
    const auto expected = numbers_.at("evaluation_logits").get<std::vector<double>>();
    double largest = 0;
    for (const double logit : expected) largest = std::max(largest, std::abs(logit));
    const double bound = tolerance(numbers_.at("rounding_spread").at("evaluation_logits")) * largest;
    for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(logits[i], expected[i], bound) << "logit " << i;
  }

  nlohmann::json numbers_;
  Subject subject_;
};

TEST_P(AgainstPyTorch, TenStepsThenEvaluation) {
  const bool has_auxiliary = subject_.net.find(kAuxiliaryLoss) != nullptr;
  PlanOptions options = plan_options(Purpose::kTrain);
  if (has_auxiliary) options.keep = {kAuxiliaryLoss};
  Plan plan = subject_.compile(options);
  plan.pack();
  for (int64_t step = 0; step < kSteps; ++step) {
    train_step(subject_, plan, step, step_options(GetParam(), numbers_));
    expect_loss("losses", step, plan.read_loss());
    if (has_auxiliary) {
      expect_loss("auxiliary_losses", step, mean_of(read_floats(*subject_.backend, plan.output(kAuxiliaryLoss))));
    }
    if (step == 0) expect_gradients();
  }
  EXPECT_EQ(plan.first_bad_step(), -1);
  expect_values_and_population();
  expect_evaluation(Purpose::kEvaluate);
  expect_evaluation(Purpose::kEvaluateFolded);
}

const FixtureCase kMnist{.name = "mnist_batch_norm", .model = mnist_batch_norm};
const FixtureCase kInception{.name = "inception_batch_norm", .model = inception_batch_norm};
const FixtureCase kPlain{.name = "inception_plain", .model = inception_plain};
const FixtureCase kVariants{.name = "inception_variants",
                            .model = inception_variants,
                            .momentum = MomentumKind::kNesterov,
                            .decay_scope = DecayScope::kAll};

FixtureCase unfused(FixtureCase fixture) {
  fixture.passes.fuse_activation = false;
  fixture.label = "_unfused";
  return fixture;
}

FixtureCase with_concat(FixtureCase fixture) {
  fixture.passes.eliminate_concat = false;
  fixture.label = "_with_concat";
  return fixture;
}

FixtureCase merged(FixtureCase fixture) {
  fixture.passes.merge_siblings = MergeSiblings::kAlways;
  fixture.label += "_merged";
  return fixture;
}

FixtureCase with_onednn(FixtureCase fixture) {
  fixture.threads = kOneThread;
  fixture.implementation = BatchNormImplementation::kOnednn;
  fixture.label = "_onednn_batch_norm";
  return fixture;
}

std::string case_name(const testing::TestParamInfo<FixtureCase>& tested) {
  return tested.param.name + tested.param.label;
}

INSTANTIATE_TEST_SUITE_P(Networks, AgainstPyTorch,
                         testing::Values(kMnist, kInception, kPlain, kVariants, unfused(kMnist), unfused(kInception),
                                         unfused(kPlain), unfused(kVariants), with_concat(kInception),
                                         with_concat(kPlain), with_concat(kVariants), merged(kInception),
                                         merged(kVariants), merged(unfused(kInception)),
                                         merged(with_concat(kInception)), with_onednn(kMnist), with_onednn(kInception)),
                         case_name);

class InBf16 : public testing::TestWithParam<FixtureCase> {};

enum class Updates { kYes, kNo };

std::vector<double> bf16_losses(const FixtureCase& fixture, const nlohmann::json& numbers, Updates updates) {
  Subject subject(model_of(fixture), {.decay_scope = fixture.decay_scope, .threads = kOneThread});
  Plan plan = subject.compile(
      {.batch = numbers.at("batch").get<int64_t>(), .activations = DType::kBf16, .passes = fixture.passes});
  plan.pack();
  StepOptions options = step_options(fixture, numbers);
  if (updates == Updates::kNo) options.sgd = {}, options.learning_rate = 0;
  std::vector<double> losses;
  for (int64_t step = 0; step < kSteps; ++step) {
    train_step(subject, plan, step, options);
    losses.push_back(plan.read_loss());
  }
  return losses;
}

double largest_error(const std::vector<double>& actual, const std::vector<double>& expected) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(actual[i] - expected[i]) / expected[i]);
  }
  return largest;
}

// An activation's rounding error is 2^-9 of it; the loss averages many.
TEST_P(InBf16, TenLossesAreNearThoseOfPyTorchInDouble) {
  const nlohmann::json numbers = read_fixture(GetParam().name);
  constexpr double kTolerance = 0.02;
  const auto expected = numbers.at("losses").get<std::vector<double>>();
  const double error = largest_error(bf16_losses(GetParam(), numbers, Updates::kYes), expected);
  EXPECT_LT(error, kTolerance);
  EXPECT_GT(error, 1e-5) << "as exact as f32: bf16 is not what ran";
  // The tolerance tells training from standing still.
  EXPECT_GT(largest_error(bf16_losses(GetParam(), numbers, Updates::kNo), expected), 2 * kTolerance);
}

INSTANTIATE_TEST_SUITE_P(Networks, InBf16,
                         testing::Values(kMnist, kInception, kPlain, kVariants, merged(kInception),
                                         with_onednn(kInception)),
                         case_name);

}  // namespace
}  // namespace bn::test
