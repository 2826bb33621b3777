#include "cuda/described_backend.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include "bn/error.hpp"
#include "cuda/cudnn_graph.hpp"
#include "cuda/libraries.hpp"
#include "cuda/memory.hpp"

namespace bn::cuda {
namespace {

// Addresses without memory behind them: the host that touched one would stop.
class ReservedBuffer final : public Memory {
 public:
  ReservedBuffer(int64_t bytes, std::shared_ptr<int64_t> total) : Memory(bytes), total_(std::move(total)) {
    if (bytes == 0) return;
    void* addresses =
        mmap(nullptr, static_cast<size_t>(bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (addresses == MAP_FAILED) throw Error(ExitCode::kFailure, "No addresses are left to plan with.");
    data_ = addresses;
    *total_ += bytes;
  }
  ~ReservedBuffer() override {
    if (data_ == nullptr) return;
    munmap(data_, static_cast<size_t>(bytes()));
    *total_ -= bytes();
  }
  ReservedBuffer(const ReservedBuffer&) = delete;
  ReservedBuffer& operator=(const ReservedBuffer&) = delete;

 private:
  std::shared_ptr<int64_t> total_;
};

}  // namespace

DescribedBackend::DescribedBackend(const CudaOptions& options, const DeviceDescription& device)
    : DeviceBackend(options), compute_capability_(device.compute_capability) {
  context_.multiprocessors = static_cast<int>(device.multiprocessors);
  context_.device_name = device.name;
  context_.launches = &launches_;
  context_.described = device_properties(device.json);
}

std::vector<PlannedConvolution> DescribedBackend::convolutions() const {
  return planned_convolutions(*context_.convolutions);
}
std::string DescribedBackend::cudnn_version() const { return loaded_cudnn_version(); }

std::string DescribedBackend::name() const {
  return fmt::format("planned for {} (compute capability {}.{}), cuDNN {}", context_.device_name,
                     compute_capability_ / 10, compute_capability_ % 10, cudnn_version());
}

std::unique_ptr<Buffer> DescribedBackend::allocate(int64_t bytes) {
  return std::make_unique<ReservedBuffer>(bytes, allocated_);
}

void DescribedBackend::download(void*, const void*, int64_t) {
  throw Error(ExitCode::kFailure, "A GPU that is only described has computed nothing that could be read.");
}

}  // namespace bn::cuda
