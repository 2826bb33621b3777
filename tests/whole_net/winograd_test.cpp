// A network trained by Winograd's convolutions follows one trained by direct ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

Subject inception(const CpuOptions& options) {
  ModelOptions model = inception_batch_norm();
  model.width = 2;  // narrower convolutions are computed directly
  return {build_network(model), make_cpu_backend(options), DecayScope::kWeights};
}

int64_t winograd_steps(const Plan& plan) {
  const std::vector<StepInfo> steps = plan.steps();
  return std::count_if(steps.begin(), steps.end(),
                       [](const auto& step) { return step.implementation == "winograd_f43"; });
}

// Two and a half times this rate takes direct training 2e-3 from itself when its first weights change by a millionth.
TEST(Winograd, FollowsDirectTraining) {
  constexpr int64_t kImages = 16, kBatches = 5;  // seen again and again, so that the loss falls
  Subject subject = inception({.threads = 1}), direct = inception({.threads = 1, .winograd = false});
  Plan plan = subject.compile({.batch = kImages}), direct_plan = direct.compile({.batch = kImages});
  EXPECT_GE(winograd_steps(plan), 3);
  EXPECT_EQ(winograd_steps(direct_plan), 0);
  plan.pack();
  direct_plan.pack();
  const StepOptions options{.learning_rate = 0.002F, .sgd = {.momentum = 0.9F, .l2 = 1e-4F}};
  double first = 0, last = 0, furthest = 0;
  for (int64_t step = 0; step < 100; ++step) {
    const FixtureBatch batch = subject.batch_for(plan, step % kBatches);
    train_step(subject, plan, batch, step, options);
    train_step(direct, direct_plan, batch, step, options);
    last = direct_plan.read_loss();
    if (step == 0) first = last;
    furthest = std::max(furthest, std::abs(plan.read_loss() - last));
  }
  EXPECT_LT(last, first / 10);
  EXPECT_LT(furthest, 1e-3 * first);
}

}  // namespace
}  // namespace bn::test
