// Whole networks on a GPU: the same losses and gradients as on a CPU, and the same bits when a step is replayed.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "cuda/cuda_backend.hpp"
#include "support/reference.hpp"
#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

constexpr int64_t kBatch = 16;

struct NetworkCase {
  const char* name;
  ModelOptions (*model)();
};
const std::vector<NetworkCase> kNetworks = {{"mnist", mnist_batch_norm},
                                            {"batch_norm", inception_batch_norm},
                                            {"plain", inception_plain},
                                            {"variants", inception_variants}};

Subject gpu_subject(const ModelOptions& model) {
  return {build_network(model), std::make_unique<cuda::CudaBackend>(CudaOptions{}), DecayScope::kWeights};
}

class CudaNetwork : public CudaFixture<testing::TestWithParam<NetworkCase>> {};

std::vector<double> gradient_of(Subject& subject, int parameter) {
  const std::vector<float> values = read_floats(*subject.backend, subject.parameters.gradient(parameter));
  return {values.begin(), values.end()};
}

double norm_of_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference / std::max(norm, 1e-30));
}

// Loss after one forward pass, and each gradient in the norm, against the CPU's f32.
void expect_agreement(const ModelOptions& model, DType activations, double loss_tolerance, double gradient_tolerance) {
  Subject cpu(model), gpu = gpu_subject(model);
  Plan cpu_plan = cpu.compile({.batch = kBatch}), gpu_plan = gpu.compile({.batch = kBatch, .activations = activations});
  for (auto& [subject, plan] : {std::pair<Subject*, Plan*>{&cpu, &cpu_plan}, {&gpu, &gpu_plan}}) {
    plan->pack();
    subject->load(*plan, subject->batch_for(*plan, 0));
    plan->begin({.step = 0});
    plan->forward();
    plan->backward();
  }
  EXPECT_NEAR(gpu_plan.read_loss(), cpu_plan.read_loss(), loss_tolerance * cpu_plan.read_loss());
  double cpu_largest = 0;
  for (int i = 0; i < static_cast<int>(cpu.net.parameters().size()); ++i) {
    for (const double value : gradient_of(cpu, i)) cpu_largest = std::max(cpu_largest, std::abs(value));
  }
  for (int i = 0; i < static_cast<int>(cpu.net.parameters().size()); ++i) {
    const std::vector<double> expected = gradient_of(cpu, i);
    double largest = 0;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    if (largest < 1e-4 * cpu_largest) continue;  // rounding alone
    EXPECT_LT(norm_of_difference(gradient_of(gpu, i), expected), gradient_tolerance)
        << cpu.net.parameters()[static_cast<size_t>(i)].name;
  }
}

TEST_P(CudaNetwork, AgreesWithTheCpuInF32) { expect_agreement(GetParam().model(), DType::kF32, 1e-5, 1e-3); }

TEST_P(CudaNetwork, AgreesWithTheCpuInBf16) { expect_agreement(GetParam().model(), DType::kBf16, 2e-2, 0.25); }

enum class Replay { kCalls, kRecording };

std::vector<float> parameters_after(const ModelOptions& model, DType activations, Replay replay) {
  constexpr int64_t kSteps = 5;
  Subject subject = gpu_subject(model);
  Plan plan = subject.compile({.batch = kBatch, .activations = activations});
  plan.set_seed(7);
  plan.pack();
  const auto compute = [&] {
    plan.forward();
    plan.backward();
    plan.update_statistics();
    subject.parameters.sgd_step({.momentum = 0.9F, .l2 = 1e-3F}, plan.step_state());
    plan.pack();
  };
  std::unique_ptr<Recording> recording;
  for (int64_t step = 0; step < kSteps; ++step) {
    subject.load(plan, subject.batch_for(plan, step));
    plan.begin({.step = static_cast<uint64_t>(step),
                .learning_rate = 0.01F,
                .statistics_weight = moving_average_weight(0.9F, step + 1)});
    if (replay == Replay::kCalls || step == 0) {
      compute();
      continue;
    }
    if (!recording) recording = subject.backend->record(compute);
    recording->replay();
  }
  std::vector<float> values = read_floats(*subject.backend, subject.parameters.value_slab());
  const std::vector<float> population = read_floats(*subject.backend, subject.parameters.population_slab());
  values.insert(values.end(), population.begin(), population.end());
  return values;
}

TEST_P(CudaNetwork, ReplaysTheSameBits) {
  for (const DType activations : {DType::kF32, DType::kBf16}) {
    const std::vector<float> called = parameters_after(GetParam().model(), activations, Replay::kCalls);
    EXPECT_EQ(parameters_after(GetParam().model(), activations, Replay::kRecording), called) << name_of(activations);
    EXPECT_EQ(parameters_after(GetParam().model(), activations, Replay::kCalls), called) << name_of(activations);
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, CudaNetwork, testing::ValuesIn(kNetworks),
                         [](const auto& parameter) { return parameter.param.name; });

// An impossible batch must say how much was asked for and which one would fit.
using CudaMemory = CudaFixture<>;
TEST_F(CudaMemory, ABatchThatDoesNotFitSaysWhichWould) {
  Subject subject = gpu_subject(mnist_batch_norm());
  try {
    subject.compile({.batch = 100'000'000});
    FAIL() << "compiled a batch of a hundred million images";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("GB were asked for"), std::string::npos) << message;
    EXPECT_NE(message.find("A batch of 100000000 does not fit; about "), std::string::npos) << message;
  }
}

}  // namespace
}  // namespace bn::test
