#include "cuda/backend.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "bn/error.hpp"
#include "bn/group.hpp"
#include "cuda/error.hpp"
#include "cuda/library_ops.hpp"
#include "cuda/memory.hpp"
#include "cuda/updates.hpp"

namespace bn::cuda {
namespace {

class Graph {
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
    BN_CUDA(cudaGraphUpload(executable_, context.compute));  // or else the first replay would do it
  }
  ~Graph() { cudaGraphExecDestroy(executable_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void replay() const { BN_CUDA(cudaGraphLaunch(executable_, context_.compute)); }

 private:
  const Context& context_;
  cudaGraphExec_t executable_ = nullptr;
};

std::string version_text(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

[[noreturn]] void refuse(const std::string& why) { throw UnsupportedError("device: cuda was asked for, but " + why); }

// What a user can do about the error with which CUDA does not start.
const char* advice(cudaError_t status) {
  switch (status) {
    case cudaErrorStubLibrary:
      return "the libcuda.so.1 that the loader finds is the toolkit's stub; take its folder out of LD_LIBRARY_PATH";
    case cudaErrorSystemDriverMismatch:
      return "the driver's library and its kernel module are of two versions; reload the module or restart";
    case cudaErrorCompatNotSupportedOnDevice:
      return "the driver's forward compatibility package does not support this GPU; use a driver of the CUDA that this "
             "program was built with";
    case cudaErrorDevicesUnavailable:
      return "another process has the GPU for itself, or its compute mode forbids more; nvidia-smi shows which";
    case cudaErrorMemoryAllocation:
      return "other processes hold the GPU's memory; nvidia-smi shows which";
    case cudaErrorECCUncorrectable:
      return "its memory has an error that cannot be corrected; nvidia-smi -q -d ECC shows it, and a reset may help";
    default:
      return "nvidia-smi shows the state of the driver and its GPUs";
  }
}

// Until the backend exists every failure says that this machine cannot.
void start(cudaError_t status) {
  if (status == cudaSuccess) return;
  refuse(fmt::format("CUDA does not start here: {} ({}); {}", cudaGetErrorString(status), cudaGetErrorName(status),
                     advice(status)));
}

void require_device(int64_t device) {
  int driver = 0, runtime = 0, count = 0;
  const cudaError_t driver_status = cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  if (driver_status == cudaSuccess && driver == 0) refuse("no NVIDIA driver is loaded here; use device: cpu");
  const cudaError_t status = driver_status != cudaSuccess ? driver_status : cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    refuse(fmt::format("the NVIDIA driver is too old: it supports CUDA {}, and this program was built with CUDA {}",
                       version_text(driver), version_text(runtime)));
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    refuse("no NVIDIA GPU was found here; use device: cpu");
  }
  start(status);
  if (device < 0 || device >= count) {
    throw UnsupportedError(
        fmt::format("CUDA device {} was asked for, but there are {} (numbered from 0).", device, count));
  }
}

void require_kernels(const cudaDeviceProp& device) {
  const cudaError_t status = find_kernels();
  if (status == cudaSuccess) return;
  refuse(fmt::format(
      "this program has no kernels for {} (compute capability {}.{}): {}. BN_CUDA_ARCHITECTURES of its build "
      "says which GPUs it is for; the least is 8.0.",
      device.name, device.major, device.minor, cudaGetErrorString(status)));
}

bool wants_synchronous_launches() {
  const char* value = std::getenv("BN_SYNC");
  return value != nullptr && std::string_view(value) == "1";
}

}  // namespace

CudaBackend::CudaBackend(const CudaOptions& options) : DeviceBackend(options) {
  require_device(options.device);
  start(cudaSetDevice(device()));
  cudaDeviceProp properties{};
  start(cudaGetDeviceProperties(&properties, device()));
  require_kernels(properties);
  context_.multiprocessors = properties.multiProcessorCount;
  context_.device_name = properties.name;
  context_.check = wants_synchronous_launches() ? LaunchCheck::kSynchronize : LaunchCheck::kAsynchronous;
  start(cudaStreamCreateWithFlags(&context_.compute, cudaStreamNonBlocking));
  start(cudaStreamCreateWithFlags(&context_.copy, cudaStreamNonBlocking));
  tickets_ = allocate(sum_tickets(context_) * static_cast<int64_t>(sizeof(unsigned)));
  context_.tickets = static_cast<unsigned*>(tickets_->data());
  open_libraries(context_);
  small_uploads_ = std::make_unique<SmallUploads>(context_);
  image_uploads_ = std::make_unique<ImageUploads>(context_, pinned_buffers_);
}

CudaBackend::~CudaBackend() {
  cudaStreamSynchronize(context_.compute);
  image_uploads_.reset();
  small_uploads_.reset();
  close_libraries(context_);
  tickets_.reset();
  cudaStreamDestroy(context_.copy);
  cudaStreamDestroy(context_.compute);
}

std::string CudaBackend::name() const {
  int runtime = 0;
  cudaRuntimeGetVersion(&runtime);
  return fmt::format("cuda: {}, CUDA {}", context_.device_name, version_text(runtime));
}

// CUDA keeps the current device for each thread; setting the one that is set costs next to nothing.
void CudaBackend::enter_thread() { BN_CUDA(cudaSetDevice(device())); }

std::string CudaBackend::computation() const { return name() + ", " + library_versions(); }

std::unique_ptr<Buffer> CudaBackend::allocate(int64_t bytes) {
  enter_thread();
  auto memory = std::make_unique<DeviceMemory>(bytes);
  if (bytes > 0) BN_CUDA(cudaMemsetAsync(memory->data(), 0, static_cast<size_t>(bytes), context_.compute));
  return memory;
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

// Work on the stream may wait for other processes.
void CudaBackend::synchronize() {
  const auto wait = [this] { BN_CUDA(cudaStreamSynchronize(context_.compute)); };
  group_ == nullptr ? wait() : group_->watch(wait);
}

std::function<void()> CudaBackend::record(std::function<void()> work) {
  enter_thread();
  if (context_.check == LaunchCheck::kSynchronize || repetition_ == Repetition::kCalls) return work;
  return [graph = std::make_shared<Graph>(context_, work)] { graph->replay(); };
}

std::unique_ptr<Buffer> CudaBackend::allocate_host(int64_t bytes) {
  enter_thread();
  return pinned_buffers_.allocate(bytes);
}

void CudaBackend::finish_loading() { image_uploads_->finish(); }

void CudaBackend::load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  enter_thread();
  Tensor on_device = images_u8;
  on_device.data = const_cast<void*>(image_uploads_->upload(images_u8.data, images_u8.bytes()));  // only read
  DeviceBackend::load_images(x, on_device, normalization);
  image_uploads_->release();
}

std::unique_ptr<Exchange> CudaBackend::join(Group& group) {
  enter_thread();
  std::unique_ptr<Exchange> exchange = make_exchange(context_, group, repetition_);
  group_ = &group;
  return exchange;
}

}  // namespace bn::cuda
