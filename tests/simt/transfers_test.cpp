// The order of what runs at the same time: on this device the streams do their work as late as the program's waits
// allow, so that what is not waited for is read too late.
#include <gtest/gtest.h>

#include <thread>

#include "bn/error.hpp"
#include "bn/training_step.hpp"
#include "cuda/backend.hpp"
#include "cuda/cudnn_graph.hpp"
#include "simt/simulator/device.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

constexpr int64_t kImagesOfAStep = 4;
constexpr Shape kImages{kImagesOfAStep, 6, 6, 3};
const ImageNormalization kNormalization{.mean = {120, 110, 100}, .scale = {0.02F, 0.02F, 0.02F}};

class CudaTransfers : public testing::Test {
 protected:
  void TearDown() override { simt::machine() = {}; }
};

Net small_net() {
  NetBuilder builder({1, kImages.h, kImages.w, kImages.c});
  const ValueId conv = builder.add("conv", Conv2d{.out_channels = 8, .kernel = 3, .pad = 1}, {builder.images()});
  const ValueId normal = builder.add("bn", BatchNorm{.activation = Activation::kRelu}, {conv});
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {normal}));
  return std::move(builder).build();
}

void draw(uint8_t* pixels, int64_t step) {
  for (int64_t i = 0; i < kImages.elements(); ++i) pixels[i] = static_cast<uint8_t>(7 * i + 31 * step * (i % 5));
}

// The memory that a loader's batches lie in, and when it is written again.
enum class HostPixels { kPlain, kAllocated, kAllocatedAndReusedTooEarly };

std::vector<double> losses_of_ten_steps(HostPixels kind) {
  cuda::CudaBackend backend({});
  const Net net = small_net();
  Parameters parameters(net, backend, DecayScope::kWeights, false);
  parameters.initialize(1, {});
  Plan plan = compile(net, parameters, backend, {.batch = kImagesOfAStep});
  plan.pack();
  TrainingStep step(plan, parameters, backend, {.sgd = {.momentum = 0.9F}});
  std::vector<uint8_t> plain(static_cast<size_t>(kImages.elements()));
  const std::unique_ptr<Buffer> allocated = backend.allocate_host(kImages.elements());
  uint8_t* pixels = kind == HostPixels::kPlain ? plain.data() : static_cast<uint8_t*>(allocated->data());
  std::vector<double> losses;
  for (int64_t i = 0; i < 10; ++i) {
    if (kind != HostPixels::kAllocatedAndReusedTooEarly) backend.finish_loading();
    draw(pixels, i);
    const std::vector<int32_t> labels{0, 1, static_cast<int32_t>(i % 5), 4};
    backend.load_images(plan.images(), dense(pixels, DType::kU8, kImages), kNormalization);
    plan.set_labels(labels.data());
    step.run({.step = static_cast<uint64_t>(i), .learning_rate = 0.1F, .statistics_weight = 0.5F});
    if (i % 3 == 2) losses.push_back(plan.read_loss());
  }
  losses.push_back(plan.read_loss());
  return losses;
}

TEST_F(CudaTransfers, NothingIsReadTooLate) {
  const std::vector<double> expected = losses_of_ten_steps(HostPixels::kPlain);
  simt::machine().streams = simt::Streams::kAsLateAsAllowed;
  EXPECT_EQ(losses_of_ten_steps(HostPixels::kPlain), expected);
  EXPECT_EQ(losses_of_ten_steps(HostPixels::kAllocated), expected);
}

// The control: without the wait the device reads the next batch.
TEST_F(CudaTransfers, PixelsThatAreWrittenTooEarlyAreSeen) {
  const std::vector<double> expected = losses_of_ten_steps(HostPixels::kPlain);
  simt::machine().streams = simt::Streams::kAsLateAsAllowed;
  EXPECT_NE(losses_of_ten_steps(HostPixels::kAllocatedAndReusedTooEarly), expected);
}

TEST_F(CudaTransfers, AnotherThreadUsesTheBackendsDevice) {
  simt::machine().devices = 2;
  cuda::CudaBackend backend({.device = 1});
  const Net net = small_net();
  Parameters parameters(net, backend, DecayScope::kWeights, false);
  std::string message;
  std::thread([&] {
    try {
      Plan plan = compile(net, parameters, backend, {.batch = kImagesOfAStep});
      plan.pack();
      plan.begin({});
      plan.forward();
      plan.backward();
      backend.synchronize();
    } catch (const std::exception& error) {
      message = error.what();
    }
  }).join();
  EXPECT_EQ(message, "");
  cudaSetDevice(0);
}

TEST_F(CudaTransfers, PageLockedMemoryThatIsNotThereIsAnOutOfMemoryError) {
  cuda::CudaBackend backend({});
  simt::machine().host_bytes = 1000;
  const std::string message = error_message<OutOfMemoryError>([&] { backend.allocate_host(5'000'000); });
  EXPECT_EQ(message.find("The host's page-locked memory has not enough memory: 0.01 GB were asked for, "), 0U)
      << message;
}

// Its images have rows of 16 bytes.
std::string convolution() {
  return cuda::describe({.x = {kImagesOfAStep, 6, 6, 4}, .w = {8, 3, 3, 4}, .y = {kImagesOfAStep, 6, 6, 8}, .pad = 1});
}

TEST_F(CudaTransfers, EnginesAreChosenOnceAndAgain) {
  const Net net = small_net();
  const auto choices = [&](const std::string& earlier) {
    cuda::CudaBackend backend({});
    backend.repeat_choices(earlier);
    Parameters parameters(net, backend, DecayScope::kWeights, false);
    const Plan plan = compile(net, parameters, backend, {.batch = kImagesOfAStep});
    const Plan again = compile(net, parameters, backend, {.batch = kImagesOfAStep});
    EXPECT_EQ(backend.context().convolutions->prepared.size(), 2U) << "forward and the gradient of the weights";
    return backend.choices();
  };
  const std::string first = choices("");
  EXPECT_NE(first.find(convolution() + ": loops\n"), std::string::npos) << first;
  const std::string other = choices(convolution() + ": other loops\n");
  EXPECT_NE(other.find(convolution() + ": other loops\n"), std::string::npos) << other;
  EXPECT_EQ(choices(other), other);
  EXPECT_EQ(choices("no choice\n" + convolution() + ": an engine of another version\n"), first);
}

}  // namespace
}  // namespace bn::test
