// Equalities that hold whatever the weights: the paper's (sec. 3.3), and those between runs, plans and equivalent
// networks.
#include <gtest/gtest.h>

#include <cmath>

#include "bn/cpu_backend.hpp"
#include "support/reference.hpp"
#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

constexpr int64_t kBatch = 8;

Values as_values(const std::vector<float>& floats) { return {floats.begin(), floats.end()}; }

// Forward and backward on one batch; the gradients are in the subject's parameters afterwards.
std::vector<float> logits_of_one_pass(Subject& subject) {
  Plan plan = subject.compile({.batch = kBatch});
  plan.pack();
  subject.load(plan, subject.batch_for(plan, 0));
  plan.forward();
  std::vector<float> logits = read_floats(*subject.backend, plan.logits());
  plan.backward();
  return logits;
}

Values gradient(const Subject& subject, const std::string& name) {
  return as_values(read_floats(*subject.backend, subject.parameters.gradient(subject.parameter(name))));
}

void scale(Values& values, double factor) {
  for (double& value : values) value *= factor;
}

void write(const Subject& subject, const Tensor& tensor, const std::vector<float>& values) {
  subject.backend->upload(tensor.data, values.data(), tensor.bytes());
}

// Paper: sec. 3.3, BN((aW)u) = BN(Wu) and d BN((aW)u) / d(aW) = (1/a) d BN(Wu) / dW.
TEST(ScaleInvariance, ScaledWeightsChangeNothingButTheirOwnGradient) {
  constexpr double kScale = 3;
  const std::string scaled_name = "inception_3a/3x3/conv/w", other_name = "conv1/conv/w";
  ModelOptions model = inception_batch_norm();
  model.batch_norm.eps = 1e-12F;  // the equality is exact without it
  Subject subject(model);
  const Values logits = as_values(logits_of_one_pass(subject));
  const Values before = gradient(subject, scaled_name), other = gradient(subject, other_name);

  const Tensor weights = subject.parameters.value(subject.parameter(scaled_name));
  std::vector<float> values = read_floats(*subject.backend, weights);
  for (float& value : values) value *= static_cast<float>(kScale);
  write(subject, weights, values);
  const Values scaled_logits = as_values(logits_of_one_pass(subject));
  Values after = gradient(subject, scaled_name);

  EXPECT_LT(difference(scaled_logits, logits).max, 1e-5);
  EXPECT_GT(difference(after, before).max, 0.5);
  scale(after, kScale);
  EXPECT_LT(difference(after, before).max, 1e-4);
  EXPECT_LT(difference(gradient(subject, other_name), other).max, 1e-4);
}

// A 3x3 convolution after the stem whose output has three readers, or the same three as one convolution with one
// reader: the gradient that reaches the stem is one sum.
Net branching_net(int64_t branches) {
  NetBuilder builder({1, 8, 8, 16});
  ValueId x = builder.add("stem/conv", Conv2d{.out_channels = 16, .kernel = 3, .stride = 1, .pad = 1, .folded = {}},
                          {builder.images()});
  x = builder.add("stem/act", Activate{Activation::kSigmoid}, {x});
  std::vector<ValueId> outputs;
  for (int64_t i = 0; i < branches; ++i) {
    const Conv2d branch{.out_channels = 48 / branches, .kernel = 3, .stride = 1, .pad = 1, .folded = {}};
    outputs.push_back(builder.add("branch" + std::to_string(i) + "/conv", branch, {x}));
  }
  x = branches > 1 ? builder.add("concat", Concat{}, outputs) : outputs[0];
  x = builder.add("logits/linear", Linear{.out_features = kFixtureClasses, .folded = {}}, {x});
  builder.loss("loss", builder.add("logits/bias", BiasActivation{}, {x}));
  return std::move(builder).build();
}

TEST(GradientSum, ThreeReadersGiveWhatOneReaderOfAllGives) {
  Subject one(branching_net(1)), three(branching_net(3));
  std::vector<float> stacked;  // OHWI: output channels are outermost
  for (int i = 0; i < 3; ++i) {
    const int index = three.parameter("branch" + std::to_string(i) + "/conv/w");
    const std::vector<float> part = read_floats(*three.backend, three.parameters.value(index));
    stacked.insert(stacked.end(), part.begin(), part.end());
  }
  write(one, one.parameters.value(one.parameter("branch0/conv/w")), stacked);
  const Values expected_logits = as_values(logits_of_one_pass(one));
  const Values logits = as_values(logits_of_one_pass(three));
  EXPECT_LT(difference(logits, expected_logits).max, 1e-5);
  EXPECT_LT(difference(gradient(three, "stem/conv/w"), gradient(one, "stem/conv/w")).max, 1e-5);
}

// All bits that training leaves behind.
std::vector<float> bits_of(Subject& subject) {
  std::vector<float> all;
  for (const NamedTensor& named : subject.parameters.named_tensors()) {
    const std::vector<float> values = read_floats(*subject.backend, named.tensor);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

struct RunOptions {
  DType activations = DType::kF32;
  uint64_t seed = 7;
  int64_t new_plan_every = 100;  // steps
  PlanPasses passes{};
};

std::vector<float> bits_after_training(const RunOptions& run) {
  ModelOptions model = inception_batch_norm();
  model.dropout = 0.4;
  Subject subject(model);
  subject.parameters.initialize(run.seed, {});
  const StepOptions options{.learning_rate = 0.01F, .sgd = {.momentum = 0.9F, .l2 = 0.01F}};
  const auto new_plan = [&] {
    Plan plan = subject.compile({.batch = kBatch, .activations = run.activations, .passes = run.passes});
    plan.set_seed(run.seed);
    plan.pack();
    return plan;
  };
  Plan plan = new_plan();
  for (int64_t step = 0; step < 4; ++step) {
    if (step > 0 && step % run.new_plan_every == 0) plan = new_plan();
    train_step(subject, plan, step, options);
  }
  EXPECT_EQ(plan.first_bad_step(), -1);
  return bits_of(subject);
}

class SameBits : public testing::TestWithParam<DType> {};

TEST_P(SameBits, OfTwoRunsWithOneSeed) {
  const std::vector<float> first = bits_after_training({.activations = GetParam()});
  EXPECT_TRUE(same_bits(first, bits_after_training({.activations = GetParam()})));
  EXPECT_FALSE(same_bits(first, bits_after_training({.activations = GetParam(), .seed = 8})));
}

TEST_P(SameBits, WhenEveryStepRunsInANewPlan) {
  const std::vector<float> one_plan = bits_after_training({.activations = GetParam()});
  EXPECT_TRUE(same_bits(one_plan, bits_after_training({.activations = GetParam(), .new_plan_every = 1})));
}

TEST_P(SameBits, WithoutSharedMemory) {
  const std::vector<float> shared = bits_after_training({.activations = GetParam()});
  EXPECT_TRUE(same_bits(shared, bits_after_training({.activations = GetParam(), .passes = {.share_memory = false}})));
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double distance = 0, size = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    distance += std::pow(a[i] - b[i], 2);
    size += std::pow(b[i], 2);
  }
  return std::sqrt(distance / size);
}

// Merged siblings change the order of some sums, and nothing else.
TEST_P(SameBits, OfTwoRunsWithMergedSiblings) {
  const RunOptions merged{.activations = GetParam(), .passes = {.merge_siblings = MergeSiblings::kAlways}};
  const std::vector<float> first = bits_after_training(merged);
  EXPECT_TRUE(same_bits(first, bits_after_training(merged)));
  const std::vector<float> apart =
      bits_after_training({.activations = GetParam(), .passes = {.merge_siblings = MergeSiblings::kNever}});
  EXPECT_LT(distance(first, apart), GetParam() == DType::kF32 ? 1e-5 : 1e-2);
  EXPECT_FALSE(same_bits(first, apart)) << "nothing was merged";
}

// In bf16 the gradient of a pool that sums is not rounded before it is added.
TEST_P(SameBits, WherePoolsSumTheGradientsOfTheirInputs) {
  for (const MergeSiblings merge : {MergeSiblings::kNever, MergeSiblings::kAlways}) {
    const RunOptions fused{.activations = GetParam(), .passes = {.merge_siblings = merge}};
    RunOptions apart = fused;
    apart.passes.fuse_gradient_sum = false;
    const std::vector<float> bits = bits_after_training(fused), expected = bits_after_training(apart);
    EXPECT_EQ(same_bits(bits, expected), GetParam() == DType::kF32);
    EXPECT_LT(distance(bits, expected), 1e-2);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, SameBits, testing::Values(DType::kF32, DType::kBf16),
                         [](const testing::TestParamInfo<DType>& tested) {
                           return std::string(name_of(tested.param));
                         });

// Paper: Algorithm 2, step 8 runs the network as in training; only the gradients are missing.
TEST(StatisticsPlan, SeesTheBatchStatisticsOfTraining) {
  for (const auto model : {inception_batch_norm, inception_variants}) {
    Subject subject(model());
    std::vector<std::vector<float>> statistics;
    for (const Purpose purpose : {Purpose::kTrain, Purpose::kStatistics}) {
      const Tensor slab = subject.parameters.batch_state_slab();
      subject.backend->zero(slab.data, slab.bytes());
      // Siblings are merged in training alone, which changes the order of sums. So would wider convolutions, whose maps
      // share Winograd's tiles there.
      Plan plan =
          subject.compile({.batch = kBatch, .purpose = purpose, .passes = {.merge_siblings = MergeSiblings::kNever}});
      plan.pack();
      subject.load(plan, subject.batch_for(plan, 0));
      plan.forward();
      statistics.push_back(read_floats(*subject.backend, slab));
    }
    EXPECT_LT(difference(as_values(statistics[1]), as_values(statistics[0])).max, 1e-6);
  }
}

}  // namespace
}  // namespace bn::test
