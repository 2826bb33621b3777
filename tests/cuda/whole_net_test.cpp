// Whole networks on a GPU: the same losses and gradients as on a CPU, and the same bits when a step is replayed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "bn/models.hpp"
#include "bn/rng.hpp"
#include "bn/training_step.hpp"
#include "cuda/cuda_backend.hpp"
#include "whole_net/networks.hpp"

namespace bn::test {
namespace {

constexpr int64_t kBatch = 8;

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

using Gradients = std::vector<std::vector<double>>;  // per parameter

struct FirstStep {
  double loss = 0;
  Gradients gradients{};
};

// The results of one forward and backward pass.
FirstStep first_step(Subject& subject, DType activations) {
  Plan plan = subject.compile({.batch = kBatch, .activations = activations});
  plan.pack();
  subject.load(plan, subject.batch_for(plan, 0));
  plan.begin({.step = 0});
  plan.forward();
  plan.backward();
  FirstStep result{.loss = plan.read_loss()};
  for (int i = 0; i < static_cast<int>(subject.net.parameters().size()); ++i) {
    const std::vector<float> values = read_floats(*subject.backend, subject.parameters.gradient(i));
    result.gradients.emplace_back(values.begin(), values.end());
  }
  return result;
}

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

// Weights changed by about one rounding: how far the gradients then move is how well they are determined in f32.
FirstStep first_step_of_rounded(const ModelOptions& model, uint64_t seed) {
  Subject subject(model);
  const Tensor slab = subject.parameters.value_slab();
  RandomStream random(seed, 1);
  for (int64_t i = 0; i < slab.shape.elements(); ++i) {
    slab.as<float>()[i] *= static_cast<float>(1.0 + random.uniform(-1e-7, 1e-7));
  }
  return first_step(subject, DType::kF32);
}

TEST_P(CudaNetwork, AgreesWithTheCpuInF32) {
  constexpr int kRoundings = 4;
  constexpr double kMargin = 4.0;  // over the largest of a few draws
  Subject cpu(GetParam().model()), gpu = gpu_subject(GetParam().model());
  const FirstStep expected = first_step(cpu, DType::kF32), actual = first_step(gpu, DType::kF32);
  std::vector<FirstStep> rounded;
  for (uint64_t seed = 0; seed < kRoundings; ++seed) {
    rounded.push_back(first_step_of_rounded(GetParam().model(), seed));
  }
  EXPECT_NEAR(actual.loss, expected.loss, 1e-5 * expected.loss);
  for (size_t i = 0; i < expected.gradients.size(); ++i) {
    double rounding = 0;
    for (const FirstStep& step : rounded) {
      rounding = std::max(rounding, distance(step.gradients[i], expected.gradients[i]));
    }
    EXPECT_LE(distance(actual.gradients[i], expected.gradients[i]), kMargin * rounding) << cpu.net.parameters()[i].name;
  }
}

// The GPU's bf16 must be as close to f32 as the CPU's bf16 is.
TEST_P(CudaNetwork, AgreesWithTheCpuInBf16) {
  Subject exact(GetParam().model()), cpu(GetParam().model()), gpu = gpu_subject(GetParam().model());
  const FirstStep f32 = first_step(exact, DType::kF32), on_cpu = first_step(cpu, DType::kBf16),
                  on_gpu = first_step(gpu, DType::kBf16);
  EXPECT_NEAR(on_gpu.loss, f32.loss, 2e-2 * f32.loss);
  constexpr double kMargin = 2.0;
  double gpu_sum = 0, cpu_sum = 0;
  for (size_t i = 0; i < f32.gradients.size(); ++i) {
    const double norm = distance(f32.gradients[i], std::vector<double>(f32.gradients[i].size()));
    gpu_sum += distance(on_gpu.gradients[i], f32.gradients[i]) / norm;
    cpu_sum += distance(on_cpu.gradients[i], f32.gradients[i]) / norm;
  }
  EXPECT_LT(gpu_sum, kMargin * cpu_sum);
}

// kParts: the update by itself, which then reads the gradients of all weights in Parameters.
enum class Replay { kCalls, kRecording, kParts };

std::vector<float> parameters_after(const ModelOptions& model, DType activations, Replay replay) {
  constexpr int64_t kSteps = 3;
  Subject subject = gpu_subject(model);
  Plan plan = subject.compile({.batch = kBatch, .activations = activations});
  plan.set_seed(7);
  plan.pack();
  TrainingStep training_step(plan, subject.parameters, *subject.backend, {.sgd = {.momentum = 0.9F, .l2 = 1e-3F}});
  for (int64_t step = 0; step < kSteps; ++step) {
    subject.load(plan, subject.batch_for(plan, step));
    const StepScalars scalars{.step = static_cast<uint64_t>(step),
                              .learning_rate = 0.01F,
                              .statistics_weight = moving_average_weight(0.9F, step + 1)};
    if (replay == Replay::kRecording) {
      training_step.run(scalars);
    } else if (replay == Replay::kParts) {
      training_step.run_part(scalars);
      training_step.run_update();
    } else {
      plan.begin(scalars);
      training_step.compute();
    }
  }
  std::vector<float> values = read_floats(*subject.backend, subject.parameters.value_slab());
  const std::vector<float> population = read_floats(*subject.backend, subject.parameters.population_slab());
  values.insert(values.end(), population.begin(), population.end());
  return values;
}

TEST_P(CudaNetwork, ReplaysTheSameBits) {
  for (const DType activations : {DType::kBf16, DType::kF32}) {
    if (activations == DType::kF32 && std::getenv("BN_TEST_REDUCED") != nullptr) continue;
    const std::vector<float> called = parameters_after(GetParam().model(), activations, Replay::kCalls);
    EXPECT_EQ(parameters_after(GetParam().model(), activations, Replay::kRecording), called) << name_of(activations);
    EXPECT_EQ(parameters_after(GetParam().model(), activations, Replay::kCalls), called) << name_of(activations);
    EXPECT_EQ(parameters_after(GetParam().model(), activations, Replay::kParts), called) << name_of(activations);
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
