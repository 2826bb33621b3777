#include "cuda/backend.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "bn/error.hpp"
#include "cuda/dense_convolution.hpp"
#include "cuda/device_memory.hpp"
#include "cuda/error.hpp"
#include "cuda/kernels/updates.hpp"
#include "cuda/library_ops.hpp"
#include "cuda/updates.hpp"
#include "ops/own_ops.hpp"

namespace bn::cuda {
namespace {

class DeviceBuffer final : public Buffer {
 public:
  DeviceBuffer(int64_t bytes, cudaStream_t stream) : memory_(bytes) {
    if (bytes > 0) BN_CUDA(cudaMemsetAsync(memory_.data(), 0, static_cast<size_t>(bytes), stream));
  }
  void* data() const override { return memory_.data(); }
  int64_t bytes() const override { return memory_.bytes(); }

 private:
  DeviceMemory memory_;
};

class Graph final : public Recording {
 public:
  Graph(const Context& context, const std::function<void()>& work) : context_(context) {
    BN_CUDA(cudaStreamBeginCapture(context.compute, cudaStreamCaptureModeThreadLocal));
    cudaGraph_t graph = nullptr;
    try {
      work();
    } catch (...) {
      cudaStreamEndCapture(context.compute, &graph);
      cudaGraphDestroy(graph);
      throw;
    }
    BN_CUDA(cudaStreamEndCapture(context.compute, &graph));
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    BN_CUDA(status);
  }
  ~Graph() override { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void replay() override { BN_CUDA(cudaGraphLaunch(executable_, context_.compute)); }

 private:
  const Context& context_;
  cudaGraphExec_t executable_ = nullptr;
};

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

void require_device(int64_t device) {
  int driver = 0, runtime = 0, count = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver == 0) {
    throw UnsupportedError("device: cuda was asked for, but no NVIDIA driver is loaded here; use device: cpu");
  }
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    throw UnsupportedError(fmt::format(
        "device: cuda was asked for, but the NVIDIA driver is too old: it supports CUDA {}, and this program "
        "was built with CUDA {}",
        version_text(driver), version_text(runtime)));
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    throw UnsupportedError("device: cuda was asked for, but no NVIDIA GPU was found here; use device: cpu");
  }
  BN_CUDA(status);
  if (device < 0 || device >= count) {
    throw UnsupportedError(
        fmt::format("CUDA device {} was asked for, but there are {} (numbered from 0).", device, count));
  }
}

void require_kernels(const cudaDeviceProp& device) {
  const cudaError_t status = find_kernels();
  if (status == cudaSuccess) return;
  throw UnsupportedError(
      fmt::format("device: cuda was asked for, but this program has no kernels for {} (compute capability {}.{}): {}. "
                  "BN_CUDA_ARCHITECTURES of its build says which GPUs it is for; the least is 8.0.",
                  device.name, device.major, device.minor, cudaGetErrorString(status)));
}

bool wants_synchronous_launches() {
  const char* value = std::getenv("BN_SYNC");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

CudaBackend::CudaBackend(const CudaOptions& options) {
  require_device(options.device);
  BN_CUDA(cudaSetDevice(static_cast<int>(options.device)));
  cudaDeviceProp properties{};
  BN_CUDA(cudaGetDeviceProperties(&properties, static_cast<int>(options.device)));
  require_kernels(properties);
  context_.options = options;
  context_.multiprocessors = properties.multiProcessorCount;
  context_.device_name = properties.name;
  context_.check = wants_synchronous_launches() ? LaunchCheck::kSynchronize : LaunchCheck::kAsynchronous;
  BN_CUDA(cudaStreamCreateWithFlags(&context_.compute, cudaStreamNonBlocking));
  BN_CUDA(cudaStreamCreateWithFlags(&context_.copy, cudaStreamNonBlocking));
  open_libraries(context_);
  small_uploads_ = std::make_unique<SmallUploads>(context_);
  image_uploads_ = std::make_unique<ImageUploads>(context_);
}

CudaBackend::~CudaBackend() {
  cudaStreamSynchronize(context_.compute);
  image_uploads_.reset();
  small_uploads_.reset();
  close_libraries(context_);
  cudaStreamDestroy(context_.copy);
  cudaStreamDestroy(context_.compute);
}

std::string CudaBackend::name() const {
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  return fmt::format("cuda: {}, CUDA {}", context_.device_name, version_text(runtime));
}

void CudaBackend::require(DType activations) const {
  if (activations == DType::kF32 || activations == DType::kBf16) return;
  throw UnsupportedError(fmt::format("Activations cannot be stored as {}.", name_of(activations)));
}

std::unique_ptr<Buffer> CudaBackend::allocate(int64_t bytes) {
  return std::make_unique<DeviceBuffer>(bytes, context_.compute);
}

void CudaBackend::upload(void* device, const void* host, int64_t bytes) {
  if (bytes == 0) return;
  if (bytes <= SmallUploads::kSlotBytes) {
    small_uploads_->upload(device, host, bytes);
    return;
  }
  BN_CUDA(cudaMemcpyAsync(device, host, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, context_.compute));
  synchronize();  // the host's memory is the caller's again
}

void CudaBackend::download(void* host, const void* device, int64_t bytes) {
  if (bytes == 0) return;
  BN_CUDA(cudaMemcpyAsync(host, device, static_cast<size_t>(bytes), cudaMemcpyDeviceToHost, context_.compute));
  synchronize();
}

void CudaBackend::zero(void* device, int64_t bytes) {
  if (bytes == 0) return;
  BN_CUDA(cudaMemsetAsync(device, 0, static_cast<size_t>(bytes), context_.compute));
}

void CudaBackend::synchronize() { BN_CUDA(cudaStreamSynchronize(context_.compute)); }

std::unique_ptr<Op> CudaBackend::make_batch_norm(const BatchNorm& spec, const OpDesc& desc) const {
  switch (spec.implementation) {
    case BatchNormImplementation::kCustom:
      return ops::make_op(own_kernels_, spec, desc);
    case BatchNormImplementation::kCudnn:
      return make_batch_norm_cudnn(context_, spec, desc);
    case BatchNormImplementation::kOnednn:
      break;
  }
  throw UnsupportedError("batch_norm.implementation onednn needs the CPU; on a CUDA device it can be custom or cudnn.");
}

std::unique_ptr<Op> CudaBackend::make_op(const OpSpec& spec, const OpDesc& desc) {
  return std::visit(Overloaded{
                        [&](const Conv2d& s) { return make_conv2d(context_, s, desc); },
                        [&](const SeparableConv2d& s) { return make_separable_conv2d(context_, s, desc); },
                        [&](const Linear& s) { return make_linear(context_, s, desc); },
                        [&](const BatchNorm& s) { return make_batch_norm(s, desc); },
                        [&](const auto& s) { return ops::make_op(own_kernels_, s, desc); },
                    },
                    spec);
}

bool CudaBackend::supports_row_stride(const OpSpec& spec) const { return ops::supports_row_stride(spec); }
bool CudaBackend::supports_fused_activation(const BatchNorm& spec) const {
  return ops::supports_fused_activation(spec);
}

int64_t CudaBackend::image_row_stride(int64_t channels, DType dtype) const {
  return cuda::image_row_stride(channels, dtype);
}

std::unique_ptr<Recording> CudaBackend::record(std::function<void()> work) {
  if (context_.check == LaunchCheck::kSynchronize) return ops::record_calls(std::move(work));
  return std::make_unique<Graph>(context_, work);
}

void CudaBackend::load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  Tensor on_device = images_u8;
  on_device.data = const_cast<void*>(image_uploads_->upload(images_u8.data, images_u8.bytes()));  // only read
  cuda::load_images(context_, x, on_device, normalization);
  image_uploads_->release();
}

void CudaBackend::sum(const Tensor& dst, const std::vector<Tensor>& srcs) { cuda::sum(context_, dst, srcs); }
void CudaBackend::sgd_step(const SgdUpdate& update) { cuda::sgd_step(context_, update); }
void CudaBackend::blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) {
  cuda::blend(context_, running, batch, factor, weight);
}

}  // namespace bn::cuda
