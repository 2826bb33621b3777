// Ten steps of a whole small network through the CUDA backend, on a device that has no mercy: its streams do their work
// as late or as early as the program's waits allow, it refuses what must not be captured, it spoils memory that is
// freed, and it counts what is left. The CPU's losses are what they must be.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/training_step.hpp"
#include "cuda/backend.hpp"
#include "simt/library_doubles.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

using simt::LeftOut;
using simt::Streams;

constexpr int64_t kTenSteps = 10, kBatchOfAStep = 4;
constexpr Shape kStepImages{kBatchOfAStep, 8, 8, 3};
const ImageNormalization kStepNormalization{.mean = {120, 110, 100}, .scale = {0.02F, 0.02F, 0.02F}};

// A convolution, and a module of two branches behind it, as Inception's are.
Net net_of_two_branches(BatchNormImplementation implementation) {
  NetBuilder builder({1, kStepImages.h, kStepImages.w, kStepImages.c});
  const auto convolved = [&](const std::string& name, ValueId x, const Conv2d& spec) {
    const ValueId conv = builder.add(name + "/conv", spec, {x});
    const ValueId normalized = builder.add(name + "/bn", BatchNorm{.implementation = implementation}, {conv});
    return builder.add(name + "/relu", Activate{}, {normalized});
  };
  const ValueId stem = convolved("stem", builder.images(), {.out_channels = 16, .kernel = 3, .pad = 1});
  const ValueId pooled = builder.add("pool", Pool2d{.kind = PoolKind::kMax, .kernel = 3, .stride = 2}, {stem});
  const ValueId left = convolved("left", pooled, {.out_channels = 8, .kernel = 1});
  const ValueId reduced = convolved("reduce", pooled, {.out_channels = 8, .kernel = 1});
  const ValueId right = convolved("right", reduced, {.out_channels = 16, .kernel = 3, .pad = 1});
  const ValueId joined = builder.add("joined", Concat{}, {left, right});
  const ValueId mean = builder.add("mean", Pool2d{.kind = PoolKind::kAverage, .kernel = 4, .stride = 4}, {joined});
  const ValueId dropped = builder.add("dropout", Dropout{.rate = 0.2F}, {mean});
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {dropped}));
  return std::move(builder).build();
}

// The memory that a loader's batches lie in, and when it is written again.
enum class HostPixels { kPlain, kAllocated, kAllocatedAndReusedTooEarly };
// kCalls: op by op. kParts: the update by itself.
enum class Start { kRecording, kCalls, kParts };

struct Trial {
  DType activations = DType::kF32;
  HostPixels pixels = HostPixels::kPlain;
  Start start = Start::kRecording;
  BatchNormImplementation batch_norm = BatchNormImplementation::kCustom;
  int64_t steps_to_a_loss = 1;
  LeftOut left_out = LeftOut::kNothing;  // during the steps
};

struct Outcome {
  std::vector<double> losses{};
  std::vector<float> parameters{};
  bool operator==(const Outcome&) const = default;
};

void draw(uint8_t* pixels, int64_t step) {
  for (int64_t i = 0; i < kStepImages.elements(); ++i) pixels[i] = static_cast<uint8_t>(7 * i + 31 * step * (i % 5));
}

void compute(TrainingStep& step, Plan& plan, const StepScalars& scalars, Start start) {
  switch (start) {
    case Start::kRecording:
      return step.run(scalars);
    case Start::kCalls:
      plan.begin(scalars);
      return step.compute();
    case Start::kParts:
      step.run_part(scalars);
      return step.run_update();
  }
}

Outcome ten_steps(Backend& backend, const Trial& trial) {
  const Net net = net_of_two_branches(trial.batch_norm);
  Parameters parameters(net, backend, DecayScope::kWeights, true);
  parameters.initialize(1, {});
  Plan plan = compile(net, parameters, backend, {.batch = kBatchOfAStep, .activations = trial.activations});
  plan.set_seed(3);
  plan.pack();
  TrainingStep step(plan, parameters, backend, {.sgd = {.momentum = 0.9F, .l2 = 1e-3F}, .average = true});
  std::vector<uint8_t> plain(static_cast<size_t>(kStepImages.elements()));
  std::unique_ptr<Buffer> allocated;
  if (trial.pixels != HostPixels::kPlain) allocated = backend.allocate_host(kStepImages.elements());
  uint8_t* pixels = allocated ? static_cast<uint8_t*>(allocated->data()) : plain.data();
  backend.synchronize();
  simt::machine().left_out = trial.left_out;
  Outcome result;
  for (int64_t i = 0; i < kTenSteps; ++i) {
    if (trial.pixels != HostPixels::kAllocatedAndReusedTooEarly) backend.finish_loading();
    draw(pixels, i);
    const std::vector<int32_t> labels{0, 1, static_cast<int32_t>(i % 5), 4};
    backend.load_images(plan.images(), dense(pixels, DType::kU8, kStepImages), kStepNormalization);
    plan.set_labels(labels.data());
    compute(
        step, plan,
        {.step = static_cast<uint64_t>(i), .learning_rate = 0.05F, .statistics_weight = 0.5F, .average_weight = 0.25F},
        trial.start);
    if ((i + 1) % trial.steps_to_a_loss == 0) result.losses.push_back(plan.read_loss());
  }
  simt::machine().left_out = LeftOut::kNothing;
  backend.synchronize();
  for (const Tensor& slab : {parameters.value_slab(), parameters.average_slab(), parameters.population_slab()}) {
    std::vector<float> values(static_cast<size_t>(slab.shape.elements()));
    backend.download(values.data(), slab.data, slab.bytes());
    result.parameters.insert(result.parameters.end(), values.begin(), values.end());
  }
  return result;
}

// On a device of its own, which must be left as it was found.
Outcome ten_steps(const Trial& trial, Streams streams = Streams::kAtOnce) {
  const simt::Held before = simt::held();
  simt::machine() = {.streams = streams};
  Outcome result;
  {
    cuda::CudaBackend backend({});
    result = ten_steps(backend, trial);
  }
  simt::machine() = {};
  EXPECT_EQ(to_string(simt::held()), to_string(before));
  simt::require_freed_memory_intact();
  return result;
}

class WholeSteps : public testing::Test {
 protected:
  void TearDown() override {
    simt::machine() = {};
    simt::libraries() = {};
  }
};

class WholeStepsBy : public testing::WithParamInterface<BatchNormImplementation>, public WholeSteps {};
INSTANTIATE_TEST_SUITE_P(BatchNorm, WholeStepsBy,
                         testing::Values(BatchNormImplementation::kCustom, BatchNormImplementation::kCudnn),
                         [](const auto& tested) {
                           return tested.param == BatchNormImplementation::kCudnn ? "OfCudnn" : "OfOurOwn";
                         });

TEST_P(WholeStepsBy, HaveTheLossesOfTheCpu) {
  const std::unique_ptr<Backend> cpu = make_cpu_backend({.threads = 1});
  const std::vector<double> expected = ten_steps(*cpu, {}).losses,
                            actual = ten_steps({.batch_norm = GetParam()}).losses;
  ASSERT_EQ(actual.size(), static_cast<size_t>(kTenSteps));
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-4 * expected[i]) << "step " << i;
  EXPECT_GT(std::abs(expected.back() - expected.front()), 0.1) << "the network learns";
}

TEST_P(WholeStepsBy, HaveTheSameBitsHoweverTheyAreStarted) {
  for (const DType activations : {DType::kF32, DType::kBf16}) {
    Trial trial{.activations = activations, .start = Start::kCalls, .batch_norm = GetParam()};
    const Outcome expected = ten_steps(trial);
    for (const Start start : {Start::kRecording, Start::kParts}) {
      trial.start = start;
      EXPECT_TRUE(ten_steps(trial) == expected);
    }
  }
}

// The host waits for each loss, or runs ahead.
TEST_P(WholeStepsBy, ReadNothingTooLateOrTooEarly) {
  Trial trial{.activations = DType::kBf16, .batch_norm = GetParam()};
  for (trial.steps_to_a_loss = 1; trial.steps_to_a_loss <= kTenSteps; trial.steps_to_a_loss += 3) {
    trial.pixels = HostPixels::kPlain;
    const Outcome expected = ten_steps(trial);
    for (const Streams streams : {Streams::kAsLateAsAllowed, Streams::kFirstIsLate}) {
      for (const HostPixels pixels : {HostPixels::kPlain, HostPixels::kAllocated}) {
        trial.pixels = pixels;
        EXPECT_TRUE(ten_steps(trial, streams) == expected);
      }
    }
  }
}

std::vector<simt::LibraryCall> calls_of_ten_steps(Start start) {
  simt::libraries() = {};
  ten_steps({.start = start, .batch_norm = BatchNormImplementation::kCudnn});
  return simt::libraries().calls;
}

// All on one stream. The calls that are recorded are those of the first step, with the same memory, and no more are
// made: the other steps are replayed.
TEST_F(WholeSteps, CallTheLibrariesForTwoSteps) {
  const std::vector<simt::LibraryCall> all = calls_of_ten_steps(Start::kRecording);
  const auto recorded = std::ranges::find_if(all, &simt::LibraryCall::is_recorded);
  const auto step = all.end() - recorded;
  EXPECT_GT(step, 0);
  ASSERT_GE(recorded - all.begin(), step);
  EXPECT_TRUE(std::equal(recorded, all.end(), recorded - step, [](const auto& second, const auto& first) {
    return second.is_recorded && !first.is_recorded && second.name == first.name && second.operands == first.operands;
  }));
  EXPECT_TRUE(std::ranges::all_of(all, [&](const auto& call) { return call.stream == all[0].stream; }));
  EXPECT_EQ(calls_of_ten_steps(Start::kCalls).size(), all.size() + static_cast<size_t>(8 * step));
  EXPECT_EQ(calls_of_ten_steps(Start::kParts).size(), all.size());
}

// The controls: what the program does not wait for is seen.
TEST_F(WholeSteps, PixelsThatAreWrittenTooEarlyAreSeen) {
  Trial trial{.steps_to_a_loss = 3};
  const Outcome expected = ten_steps(trial);
  trial.pixels = HostPixels::kAllocatedAndReusedTooEarly;
  EXPECT_FALSE(ten_steps(trial, Streams::kAsLateAsAllowed) == expected);
}

struct ForgottenWait {
  const char* what;
  LeftOut left_out;
  Streams streams;  // on which it is seen
  int64_t steps_to_a_loss = 10;
};

class ForgottenWaits : public testing::WithParamInterface<ForgottenWait>, public WholeSteps {};

TEST_P(ForgottenWaits, AreSeen) {
  Trial trial{.pixels = HostPixels::kAllocated, .steps_to_a_loss = GetParam().steps_to_a_loss};
  const Outcome expected = ten_steps(trial, GetParam().streams);
  trial.left_out = GetParam().left_out;
  EXPECT_FALSE(ten_steps(trial, GetParam().streams) == expected);
}

INSTANTIATE_TEST_SUITE_P(
    All, ForgottenWaits,
    testing::Values(ForgottenWait{"OfTheStepForItsImages", LeftOut::kWaitsOfFirstStream, Streams::kAsLateAsAllowed},
                    ForgottenWait{"OfACopyForTheReaderOfItsSlot", LeftOut::kWaitsOfOtherStreams, Streams::kFirstIsLate},
                    ForgottenWait{"OfTheHostForCopiedImages", LeftOut::kWaitsForEvents, Streams::kAsLateAsAllowed},
                    ForgottenWait{"OfTheHostForTheLoss", LeftOut::kWaitsForStreams, Streams::kAsLateAsAllowed, 1}),
    [](const auto& tested) { return tested.param.what; });

// More small uploads than there are slots for, none of them waited for by anything else.
std::vector<int32_t> uploaded_numbers(LeftOut left_out) {
  simt::machine() = {.streams = Streams::kAsLateAsAllowed, .left_out = left_out};
  cuda::CudaBackend backend({});
  std::vector<int32_t> numbers(100);
  const auto bytes = static_cast<int64_t>(numbers.size() * sizeof(int32_t));
  const std::unique_ptr<Buffer> memory = backend.allocate(bytes);
  for (int32_t i = 0; i < 100; ++i) backend.upload(static_cast<int32_t*>(memory->data()) + i, &i, sizeof(i));
  backend.download(numbers.data(), memory->data(), bytes);
  return numbers;
}

TEST_F(WholeSteps, UploadTheirScalarsInSlotsThatAreFree) {
  std::vector<int32_t> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(uploaded_numbers(LeftOut::kNothing), expected);
  EXPECT_NE(uploaded_numbers(LeftOut::kWaitsForEvents), expected) << "the control";
}

// Whatever waits or allocates, or would read the host's memory again, has no place in a recorded step.
TEST_F(WholeSteps, AreNotRecordedWithWhatCannotBeReplayed) {
  const simt::Held before = simt::held();
  {
    cuda::CudaBackend backend({});
    const std::unique_ptr<Buffer> memory = backend.allocate(100), host = backend.allocate_host(100);
    const Shape image{1, 2, 2, 3};
    const auto load = [&] {
      backend.load_images(dense(memory->data(), DType::kF32, image), dense(host->data(), DType::kU8, image),
                          kStepNormalization);
    };
    load();
    const simt::Held with_memory = simt::held();
    const auto refusal = [&](const std::function<void()>& work) {
      return error_message<Error>([&] { backend.record(work); });
    };
    const std::string forbidden = "operation not permitted when stream is capturing";
    int32_t label = 0;
    for (const std::function<void()>& work : std::vector<std::function<void()>>{
             [&] { backend.allocate(100); },
             [&] { backend.allocate_host(100); },
             [&] { backend.upload(memory->data(), &label, sizeof(label)); },
             [&] { backend.download(&label, memory->data(), sizeof(label)); },
             [&] { backend.synchronize(); },
             [&] { backend.finish_loading(); },
         }) {
      EXPECT_NE(refusal(work).find(forbidden), std::string::npos) << refusal(work);
    }
    EXPECT_NE(refusal(load).find("dependency created on uncaptured work in another stream"), std::string::npos);
    EXPECT_EQ(to_string(simt::held()), to_string(with_memory)) << "a failed recording leaves nothing";
    EXPECT_NO_THROW(backend.record([&] { backend.zero(memory->data(), 100); })());
  }
  EXPECT_EQ(to_string(simt::held()), to_string(before));
}

}  // namespace
}  // namespace bn::test
