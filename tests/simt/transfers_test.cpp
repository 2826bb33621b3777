// Threads, page-locked memory, and what the libraries choose, on the simulated device.
#include <gtest/gtest.h>

#include <thread>

#include "bn/error.hpp"
#include "bn/plan.hpp"
#include "cuda/backend.hpp"
#include "cuda/cudnn_graph.hpp"
#include "simt/simulator/device.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

constexpr int64_t kImagesOfAStep = 4;
constexpr Shape kImages{kImagesOfAStep, 6, 6, 3};

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
cuda::ConvolutionProblem problem() {
  return {.x = {kImagesOfAStep, 6, 6, 4}, .w = {8, 3, 3, 4}, .y = {kImagesOfAStep, 6, 6, 8}, .pad = 1};
}
std::string convolution() { return cuda::describe(problem()); }

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

// The second engine is the one that a training may take in exact f32; TF32 may be multiplied on tensor cores.
TEST_F(CudaTransfers, EnginesAreMeasuredWhenAsked) {
  const auto engine = [](const CudaOptions& options, const char* earlier = "") {
    cuda::CudaBackend backend(options);
    backend.repeat_choices(convolution() + ": " + earlier);
    return cuda::ConvolutionPlan(backend.context(), problem()).engine();
  };
  EXPECT_EQ(engine({.convolution_choice = ConvolutionChoice::kMeasured}), "other loops");
  EXPECT_EQ(engine({.convolution_choice = ConvolutionChoice::kMeasured}, "loops"), "loops") << "it was measured before";
  EXPECT_EQ(engine({.float32_math = Float32Math::kTensorFloat32}), "loops on tensor cores");
}

}  // namespace
}  // namespace bn::test
