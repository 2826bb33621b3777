// The memory that a plan takes: bf16 halves the activations, and a step allocates nothing.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "bn/error.hpp"
#include "support/allocation_count.hpp"
#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

TEST(AllocationCount, SeesOurOwnAlsoThroughTheStandardLibrary) {
  const AllocationCount count;
  auto number = std::make_unique<int>(3);
  EXPECT_EQ(count.own(), 1);
  std::string text(static_cast<size_t>(100 + *number), 'x');
  text += text;
  EXPECT_EQ(count.own(), 3);
}

struct MemoryCase {
  std::string name;
  ModelOptions (*model)();
  DType activations = DType::kF32;
};

std::ostream& operator<<(std::ostream& out, const MemoryCase& memory_case) { return out << memory_case.name; }

class StepAllocations : public testing::TestWithParam<MemoryCase> {};

TEST_P(StepAllocations, AreNone) {
  ModelOptions model = GetParam().model();
  model.dropout = 0.3;
  Subject subject(model);
  Plan plan = subject.compile({.batch = 8, .activations = GetParam().activations});
  plan.pack();
  const Shape image = subject.net.image_shape();
  const FixtureBatch batch = fixture_batch(0, 8, image, Pixels::kGrey);
  const StepOptions options{.learning_rate = 0.001F, .sgd = {.momentum = 0.9F, .l2 = 0.01F}};
  train_step(subject, plan, batch, 0, options);
  const AllocationCount count;
  for (int64_t step = 1; step < 3; ++step) {
    train_step(subject, plan, batch, step, options);
    plan.read_loss();
    plan.first_bad_step();
  }
  EXPECT_EQ(count.own(), 0);
}

INSTANTIATE_TEST_SUITE_P(Networks, StepAllocations,
                         testing::Values(MemoryCase{"mnist_batch_norm", mnist_batch_norm},
                                         MemoryCase{"inception_batch_norm", inception_batch_norm},
                                         MemoryCase{"inception_batch_norm_bf16", inception_batch_norm, DType::kBf16},
                                         MemoryCase{"inception_plain", inception_plain},
                                         MemoryCase{"inception_variants", inception_variants}),
                         [](const testing::TestParamInfo<MemoryCase>& tested) { return tested.param.name; });

TEST(EvaluationAllocations, AreNone) {
  for (const Purpose purpose : {Purpose::kStatistics, Purpose::kEvaluate, Purpose::kEvaluateFolded}) {
    Subject subject(inception_batch_norm());
    Plan plan = subject.compile({.batch = 8, .purpose = purpose});
    const FixtureBatch batch = fixture_batch(0, 8, subject.net.image_shape(), Pixels::kGrey);
    const auto run = [&] {
      plan.pack();
      subject.load(plan, batch);
      plan.forward();
    };
    run();
    const AllocationCount count;
    run();
    EXPECT_EQ(count.own(), 0) << "purpose " << static_cast<int>(purpose);
  }
}

TEST(ActivationMemory, Bf16TakesHalfOfIt) {
  Subject subject(inception_batch_norm());
  const auto bytes = [&](DType type) {
    return static_cast<double>(subject.compile({.batch = 32, .activations = type}).memory().activations);
  };
  EXPECT_LT(bytes(DType::kBf16), 0.55 * bytes(DType::kF32));
}

TEST(ActivationMemory, IsSharedByBuffersThatAreNeverAliveTogether) {
  Subject subject(inception_batch_norm());
  const PlanMemory train = subject.compile({.batch = 32}).memory();
  EXPECT_LT(static_cast<double>(train.activations), 0.8 * static_cast<double>(train.unshared));
  const PlanMemory apart = subject.compile({.batch = 32, .passes = {.share_memory = false}}).memory();
  EXPECT_EQ(apart.activations, train.unshared);
  for (const Purpose purpose : {Purpose::kStatistics, Purpose::kEvaluate, Purpose::kEvaluateFolded}) {
    const PlanMemory memory = subject.compile({.batch = 32, .purpose = purpose}).memory();
    EXPECT_LT(memory.activations, train.activations / 2) << "purpose " << static_cast<int>(purpose);
  }
}

}  // namespace
}  // namespace bn::test
