// The messages that a user reads when there is no usable GPU, or when it fails.
#include <gtest/gtest.h>

#include <cstdlib>

#include "bn/error.hpp"
#include "bn/plan.hpp"
#include "cuda/backend.hpp"
#include "simt/library_doubles.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

class CudaErrors : public testing::Test {
 protected:
  void TearDown() override {
    simt::machine() = {};
    simt::libraries() = {};
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

// A driver is there and cannot be used: it says so, and the user reads what to do.
TEST_F(CudaErrors, CudaThatDoesNotStart) {
  const auto expect = [](cudaError_t simt::Machine::*when, cudaError_t status, const char* advice) {
    simt::machine().*when = status;
    const std::string message = refusal();
    EXPECT_EQ(message.find("device: cuda was asked for, but CUDA does not start here: "), 0U) << message;
    EXPECT_NE(message.find(advice), std::string::npos) << message;
    simt::machine() = {};
  };
  expect(&simt::Machine::driver_error, cudaErrorStubLibrary,
         "is the toolkit's stub; take its folder out of LD_LIBRARY_PATH");
  expect(&simt::Machine::driver_error, cudaErrorSystemDriverMismatch,
         "are of two versions; reload the module or restart");
  expect(&simt::Machine::driver_error, cudaErrorCompatNotSupportedOnDevice,
         "use a driver of the CUDA that this program was built with");
  expect(&simt::Machine::start_error, cudaErrorDevicesUnavailable, "another process has the GPU for itself");
  expect(&simt::Machine::start_error, cudaErrorMemoryAllocation, "other processes hold the GPU's memory");
  expect(&simt::Machine::start_error, cudaErrorECCUncorrectable, "its memory has an error that cannot be corrected");
  expect(&simt::Machine::start_error, cudaErrorInvalidValue, "nvidia-smi shows the state of the driver and its GPUs");
}

TEST_F(CudaErrors, NoGpu) {
  simt::machine().devices = 0;
  EXPECT_EQ(refusal(), "device: cuda was asked for, but no NVIDIA GPU was found here; use device: cpu");
}

TEST_F(CudaErrors, NoSuchGpu) {
  EXPECT_EQ(refusal({.device = 3}), "CUDA device 3 was asked for, but there are 1 (numbered from 0).");
}

TEST_F(CudaErrors, NoKernelsForThisGpu) {
  simt::machine().has_kernels = false;
  EXPECT_EQ(refusal(),
            "device: cuda was asked for, but this program has no kernels for simulated (compute capability 9.0): no "
            "kernel image is available for execution on the device. BN_CUDA_ARCHITECTURES of its build says which GPUs "
            "it is for; the least is 8.0.");
}

TEST_F(CudaErrors, CudnnThatIsTooOld) {
  simt::libraries().cudnn_version = 90701;
  EXPECT_EQ(
      refusal(),
      "device: cuda needs cuDNN 9.8 or a later 9, but the loader found cuDNN 9.7.1 (LD_LIBRARY_PATH decides which "
      "it takes).");
}

TEST_F(CudaErrors, CudnnThatDoesNotStart) {
  simt::libraries().cudnn_starts = false;
  EXPECT_EQ(
      refusal(),
      "device: cuda was asked for, but cuDNN 9.19.0 does not start on this machine (CUDNN_STATUS_NOT_INITIALIZED); "
      "all its libraries must be of one version and the GPU one that it supports.");
}

TEST_F(CudaErrors, AProductWithoutAnAlgorithm) {
  cuda::CudaBackend backend({});
  simt::libraries().cublas_has_algorithms = false;
  const OpDesc desc{.x = {TensorDesc::dense(DType::kBf16, {4, 1, 1, 10})},
                    .y = TensorDesc::dense(DType::kF32, {4, 1, 1, 5}),
                    .wants_dx = {true}};
  EXPECT_EQ(error_message<UnsupportedError>([&] { backend.make_op(Linear{.out_features = 5}, desc); }),
            "cuBLASLt has no algorithm for a product of 4x10 and 5x10 matrices from bf16 to f32: "
            "CUBLAS_STATUS_NOT_SUPPORTED");
}

TEST_F(CudaErrors, OutOfMemorySaysHowMuchIsFree) {
  cuda::CudaBackend backend({});
  const std::string message = error_message<OutOfMemoryError>([&] { backend.allocate(int64_t{5} << 30); });
  EXPECT_NE(message.find("The GPU has not enough memory: 5.37 GB were asked for, "), std::string::npos) << message;
  EXPECT_NE(message.find(" of 1.07 GB are free. Other processes may hold the rest; nvidia-smi shows which."),
            std::string::npos)
      << message;
}

// Takes all of it but `left` bytes.
std::unique_ptr<Buffer> take_memory(cuda::CudaBackend& backend, int64_t left) {
  size_t free = 0, total = 0;
  cudaMemGetInfo(&free, &total);
  return backend.allocate(static_cast<int64_t>(free) - left);
}

TEST_F(CudaErrors, OutOfMemoryForImagesSaysHowMuchIsFree) {
  cuda::CudaBackend backend({});
  const std::vector<uint8_t> pixels(60'000);
  const std::unique_ptr<Buffer> x = backend.allocate(4 * 60'000);
  const std::unique_ptr<Buffer> taken = take_memory(backend, 100'000);
  const Shape shape{2, 100, 100, 3};
  const std::string message = error_message<OutOfMemoryError>([&] {
    backend.load_images(dense(x->data(), DType::kF32, shape),
                        dense(const_cast<uint8_t*>(pixels.data()), DType::kU8, shape),
                        {.mean = {0, 0, 0}, .scale = {1, 1, 1}});
  });
  EXPECT_NE(message.find("The GPU has not enough memory: 0.00 GB were asked for, "), std::string::npos) << message;
}

// Only the first batch asks for memory.
TEST_F(CudaErrors, LaterBatchesAllocateNothing) {
  cuda::CudaBackend backend({});
  const std::vector<uint8_t> pixels(300);
  const std::unique_ptr<Buffer> x = backend.allocate(4 * 300);
  const Shape shape{1, 10, 10, 3};
  const auto free_after_a_batch = [&] {
    backend.load_images(dense(x->data(), DType::kF32, shape),
                        dense(const_cast<uint8_t*>(pixels.data()), DType::kU8, shape),
                        {.mean = {0, 0, 0}, .scale = {1, 1, 1}});
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    return free;
  };
  const size_t after_first = free_after_a_batch();
  EXPECT_EQ(free_after_a_batch(), after_first);
}

Net linear_net() {
  NetBuilder builder({1, 1, 1, 2000});
  builder.loss("loss", builder.add("hidden", Linear{.out_features = 50}, {builder.images()}));
  return std::move(builder).build();
}

std::string refusal_with_memory_left(cuda::CudaBackend& backend, const Net& net, int64_t left) {
  Parameters parameters(net, backend, DecayScope::kWeights, false);
  const std::unique_ptr<Buffer> taken = take_memory(backend, left);
  return error_message<UnsupportedError>(
      [&] { compile(net, parameters, backend, {.batch = 100, .activations = DType::kBf16}); });
}

// The packed weights come after the activations, whose memory a smaller batch would free.
TEST_F(CudaErrors, ABatchThatLeavesNoRoomForWeightsSaysWhichWouldFit) {
  const Net net = linear_net();
  cuda::CudaBackend backend({});
  Parameters parameters(net, backend, DecayScope::kWeights, false);
  const PlanMemory memory = compile(net, parameters, backend, {.batch = 100, .activations = DType::kBf16}).memory();
  const std::string message =
      refusal_with_memory_left(backend, net, memory.activations + memory.scratch + memory.packed / 2);
  EXPECT_NE(message.find(" A batch of 100 does not fit; about "), std::string::npos) << message;
}

TEST_F(CudaErrors, ATensorWithTooManyReadersIsRefusedWhenCompiled) {
  NetBuilder builder({1, 1, 1, 10});
  const ValueId hidden = builder.add("hidden", Linear{.out_features = 8}, {builder.images()});
  std::vector<ValueId> readers;
  for (int i = 0; i < 17; ++i) readers.push_back(builder.add("reader" + std::to_string(i), Activate{}, {hidden}));
  builder.loss("loss", builder.add("joined", Concat{}, readers));
  const Net net = std::move(builder).build();
  cuda::CudaBackend backend({});
  Parameters parameters(net, backend, DecayScope::kWeights, false);
  EXPECT_EQ(error_message<UnsupportedError>([&] { compile(net, parameters, backend, {.batch = 4}); }),
            "gradient of hidden: A sum can have 1 to 16 terms, not 17.");
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
std::string fault_in_forward(const std::string& name, const OpSpec& spec, cudaError_t fault = cudaErrorIllegalAddress) {
  NetBuilder builder({1, 1, 1, 10});
  builder.loss("loss", builder.add(name, spec, {builder.images()}));
  const Net net = std::move(builder).build();
  cuda::CudaBackend backend({});
  Parameters parameters(net, backend, DecayScope::kWeights, false);
  Plan plan = compile(net, parameters, backend, {.batch = 4});
  plan.pack();
  plan.begin({});
  simt::machine().fault = fault;
  return error_message<Error>([&] {
    plan.forward();
    backend.synchronize();
  });
}

TEST_F(CudaErrors, AFaultSaysHowToFindItsOp) {
  for (const cudaError_t fault :
       {cudaErrorIllegalAddress, cudaErrorMisalignedAddress, cudaErrorIllegalInstruction, cudaErrorAssert}) {
    const std::string message = fault_in_forward("hidden/bn", BatchNorm{}, fault);
    EXPECT_NE(message.find("with BN_SYNC=1 in the environment the message names its op"), std::string::npos) << message;
    simt::machine() = {};
  }
}

TEST_F(CudaErrors, ADamagedMemoryIsNotBlamedOnAnOp) {
  for (const cudaError_t fault : {cudaErrorECCUncorrectable, cudaErrorContained, cudaErrorNvlinkUncorrectable}) {
    const std::string message = fault_in_forward("hidden/bn", BatchNorm{}, fault);
    EXPECT_NE(message.find("The GPU's memory or link is at fault, not this program"), std::string::npos) << message;
    EXPECT_NE(message.find("goes on from its last checkpoint with --resume"), std::string::npos) << message;
    simt::machine() = {};
  }
}

TEST_F(CudaErrors, AFaultNamesItsOpWhenEveryKernelIsWaitedFor) {
  setenv("BN_SYNC", "1", 1);
  const auto expect = [](const std::string& name, const OpSpec& spec, const std::string& kernel) {
    const std::string message = fault_in_forward(name, spec);
    EXPECT_EQ(message.find(name + " forward: The kernel " + kernel + " failed: "), 0U) << message;
    simt::machine() = {};
  };
  expect("hidden/bn", BatchNorm{}, "moments");
  expect("hidden/conv", Conv2d{.out_channels = 10}, "of cuDNN's convolution");
  expect("hidden/linear", Linear{.out_features = 10}, "of cuBLASLt's product");
}

}  // namespace
}  // namespace bn::test
