// Evaluation with batch normalisation (or bias) and activation folded into the weights against evaluation without.
#include <gtest/gtest.h>

#include <algorithm>

#include "bn/error.hpp"
#include "support/reference.hpp"
#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

// Parameters and population statistics as a short training leaves them.
void train_briefly(Subject& subject) {
  Plan plan = subject.compile({.batch = 16});
  plan.pack();
  const StepOptions options{.learning_rate = 0.005F, .sgd = {.momentum = 0.9F, .l2 = 0.01F}};
  for (int64_t step = 0; step < 5; ++step) train_step(subject, plan, step, options);
}

std::vector<float> evaluation_logits(Subject& subject, Plan& plan, int64_t step) {
  subject.load(plan, subject.batch_for(plan, step));
  plan.forward();
  return read_floats(*subject.backend, plan.logits());
}

int64_t steps_of_kind(const Plan& plan, const std::string& kind) {
  const std::vector<StepInfo> steps = plan.steps();
  return std::count_if(steps.begin(), steps.end(), [&](const StepInfo& step) { return step.kind == kind; });
}

struct FoldingCase {
  std::string name;
  ModelOptions (*model)();
  int64_t batch_norms_left = 0;
};

std::ostream& operator<<(std::ostream& out, const FoldingCase& folding_case) { return out << folding_case.name; }

class Folding : public testing::TestWithParam<FoldingCase> {};

TEST_P(Folding, GivesTheLogitsOfTheUnfoldedNetwork) {
  Subject subject(GetParam().model());
  train_briefly(subject);
  Plan unfolded = subject.compile({.batch = 16, .purpose = Purpose::kEvaluate});
  Plan folded = subject.compile({.batch = 16, .purpose = Purpose::kEvaluateFolded});
  unfolded.pack();
  folded.pack();
  const std::vector<float> expected = evaluation_logits(subject, unfolded, 9);
  const std::vector<float> actual = evaluation_logits(subject, folded, 9);
  EXPECT_LT(difference(Values(actual.begin(), actual.end()), Values(expected.begin(), expected.end())).max, 1e-4);
  EXPECT_EQ(steps_of_kind(folded, "batch_norm"), GetParam().batch_norms_left);
  EXPECT_EQ(steps_of_kind(folded, "bias_activation"), 0);
  EXPECT_LT(folded.steps().size(), unfolded.steps().size());
}

INSTANTIATE_TEST_SUITE_P(Networks, Folding,
                         testing::Values(FoldingCase{"mnist_batch_norm", mnist_batch_norm},
                                         FoldingCase{"inception_batch_norm", inception_batch_norm},
                                         FoldingCase{"inception_plain", inception_plain},
                                         // Behind the nonlinearity nothing can take a batch norm up.
                                         FoldingCase{"inception_batch_norm_after", inception_batch_norm_after, 22},
                                         // The six batch norms of the per-activation module stay; the separable
                                         // stem's does not.
                                         FoldingCase{"inception_variants", inception_variants, 7}),
                         [](const testing::TestParamInfo<FoldingCase>& tested) { return tested.param.name; });

// pack() is when folding happens: until then the plan computes with what it had.
TEST(FoldedPlan, FollowsTheParametersAtPack) {
  Subject subject(inception_batch_norm());
  train_briefly(subject);
  Plan folded = subject.compile({.batch = 16, .purpose = Purpose::kEvaluateFolded});
  folded.pack();
  const std::vector<float> before = evaluation_logits(subject, folded, 9);
  train_briefly(subject);
  folded.pack();
  const std::vector<float> after = evaluation_logits(subject, folded, 9);
  EXPECT_NE(before, after);
  Plan unfolded = subject.compile({.batch = 16, .purpose = Purpose::kEvaluate});
  unfolded.pack();
  const std::vector<float> expected = evaluation_logits(subject, unfolded, 9);
  EXPECT_LT(difference(Values(after.begin(), after.end()), Values(expected.begin(), expected.end())).max, 1e-4);
}

// The network is trained first: before that the best two logits are often a rounding apart.
TEST(FoldedPlan, AgreesInBf16OnTheBestClass) {
  Subject subject(inception_batch_norm());
  constexpr int64_t kBatch = 250, kBatches = 4;
  Plan training = subject.compile({.batch = 64});
  training.pack();
  const StepOptions options{.learning_rate = 0.02F, .sgd = {.momentum = 0.9F}};
  for (int64_t step = 0; step < 8; ++step) train_step(subject, training, step, options);

  std::vector<std::vector<int64_t>> classes;
  for (const Purpose purpose : {Purpose::kEvaluate, Purpose::kEvaluateFolded}) {
    Plan plan = subject.compile({.batch = kBatch, .purpose = purpose, .activations = DType::kBf16});
    plan.pack();
    std::vector<int64_t>& best = classes.emplace_back();
    for (int64_t step = 0; step < kBatches; ++step) {
      const std::vector<float> logits = evaluation_logits(subject, plan, 100 + step);
      for (auto row = logits.begin(); row != logits.end(); row += kFixtureClasses) {
        best.push_back(std::max_element(row, row + kFixtureClasses) - row);
      }
    }
  }
  int64_t agreeing = 0;
  for (size_t i = 0; i < classes[0].size(); ++i) agreeing += classes[0][i] == classes[1][i] ? 1 : 0;
  EXPECT_GE(static_cast<double>(agreeing), 0.995 * kBatch * kBatches);
  EXPECT_NE(*std::min_element(classes[0].begin(), classes[0].end()),
            *std::max_element(classes[0].begin(), classes[0].end()));
}

}  // namespace
}  // namespace bn::test
