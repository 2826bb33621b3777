// What a user reads when there is no usable GPU, or when it fails.
#include <gtest/gtest.h>

#include <cstdlib>

#include "bn/error.hpp"
#include "bn/plan.hpp"
#include "cuda/backend.hpp"
#include "simt/simulator/device.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

class CudaErrors : public testing::Test {
 protected:
  void TearDown() override {
    simt::machine() = {};
    unsetenv("BN_SYNC");
  }
};

std::string refusal(const CudaOptions& options = {}) {
  return error_message<UnsupportedError>([&] { const cuda::CudaBackend backend(options); });
}

TEST_F(CudaErrors, NoDriver) {
  simt::machine().driver_version = 0;
  EXPECT_EQ(refusal(), "device: cuda was asked for, but no NVIDIA driver is loaded here; use device: cpu");
}

TEST_F(CudaErrors, DriverTooOld) {
  simt::machine().driver_version = 12040;
  EXPECT_NE(refusal().find("the NVIDIA driver is too old: it supports CUDA 12.4, and this program was built with CUDA"),
            std::string::npos)
      << refusal();
}

TEST_F(CudaErrors, NoGpu) {
  simt::machine().devices = 0;
  EXPECT_EQ(refusal(), "device: cuda was asked for, but no NVIDIA GPU was found here; use device: cpu");
}

TEST_F(CudaErrors, NoSuchGpu) {
  EXPECT_EQ(refusal({.device = 3}), "CUDA device 3 was asked for, but there are 1 (numbered from 0).");
}

TEST_F(CudaErrors, OutOfMemorySaysHowMuchIsFree) {
  cuda::CudaBackend backend({});
  const std::string message = error_message<OutOfMemoryError>([&] { backend.allocate(int64_t{5} << 30); });
  EXPECT_NE(message.find("The GPU has not enough memory: 5.37 GB were asked for, "), std::string::npos) << message;
  EXPECT_NE(message.find(" of 1.07 GB are free."), std::string::npos) << message;
}

TEST_F(CudaErrors, OnednnsBatchNormNeedsTheCpu) {
  cuda::CudaBackend backend({});
  const TensorDesc x = TensorDesc::dense(DType::kF32, {4, 2, 2, 8});
  const std::string message = error_message<UnsupportedError>(
      [&] { backend.make_op(BatchNorm{.implementation = BatchNormImplementation::kOnednn}, {.x = {x}, .y = x}); });
  EXPECT_NE(message.find("onednn needs the CPU; on a CUDA device it can be custom or cudnn"), std::string::npos)
      << message;
}

// images -> the op, with ten outputs -> loss, and a device that fails.
std::string fault_in_forward(const std::string& name, const OpSpec& spec) {
  NetBuilder builder({1, 1, 1, 10});
  builder.loss("loss", builder.add(name, spec, {builder.images()}));
  const Net net = std::move(builder).build();
  cuda::CudaBackend backend({});
  Parameters parameters(net, backend, DecayScope::kWeights, false);
  Plan plan = compile(net, parameters, backend, {.batch = 4});
  plan.pack();
  plan.begin({});
  simt::machine().fault = cudaErrorIllegalAddress;
  return error_message<Error>([&] {
    plan.forward();
    backend.synchronize();
  });
}

TEST_F(CudaErrors, AFaultSaysHowToFindItsOp) {
  const std::string message = fault_in_forward("hidden/bn", BatchNorm{});
  EXPECT_NE(message.find("with BN_SYNC=1 in the environment the message names its op"), std::string::npos) << message;
}

TEST_F(CudaErrors, AFaultNamesItsOpWhenEveryKernelIsWaitedFor) {
  setenv("BN_SYNC", "1", 1);
  const auto expect = [](const std::string& name, const OpSpec& spec, const std::string& kernel) {
    const std::string message = fault_in_forward(name, spec);
    EXPECT_EQ(message.find(name + " forward: The kernel " + kernel + " failed: "), 0U) << message;
    simt::machine() = {};
  };
  expect("hidden/bn", BatchNorm{}, "block_moments");
  expect("hidden/conv", Conv2d{.out_channels = 10}, "of cuDNN's convolution");
  expect("hidden/linear", Linear{.out_features = 10}, "of cuBLASLt's product");
}

}  // namespace
}  // namespace bn::test
