#include "cuda/described_backend.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include "bn/error.hpp"
#include "cuda/choices.hpp"
#include "cuda/cudnn_graph.hpp"
#include "cuda/dense_convolution.hpp"
#include "cuda/libraries.hpp"
#include "cuda/make_op.hpp"
#include "cuda/updates.hpp"
#include "cuda/weight_copies.hpp"
#include "ops/own_ops.hpp"

namespace bn::cuda {
namespace {

// Addresses without memory behind them: the host that touched one would stop.
class ReservedBuffer final : public Buffer {
 public:
  ReservedBuffer(int64_t bytes, std::shared_ptr<int64_t> total) : bytes_(bytes), total_(std::move(total)) {
    if (bytes == 0) return;
    void* addresses = mmap(nullptr, size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (addresses == MAP_FAILED) throw Error(ExitCode::kFailure, "No addresses are left to plan with.");
    data_ = addresses;
    *total_ += bytes;
  }
  ~ReservedBuffer() override {
    if (data_ == nullptr) return;
    munmap(data_, size());
    *total_ -= bytes_;
  }
  ReservedBuffer(const ReservedBuffer&) = delete;
  ReservedBuffer& operator=(const ReservedBuffer&) = delete;
  void* data() const override { return data_; }
  int64_t bytes() const override { return bytes_; }

 private:
  size_t size() const { return static_cast<size_t>(bytes_); }
  void* data_ = nullptr;
  int64_t bytes_;
  std::shared_ptr<int64_t> total_;
};

}  // namespace

DescribedBackend::DescribedBackend(const CudaOptions& options, const DeviceDescription& device)
    : compute_capability_(device.compute_capability) {
  context_.options = options;
  context_.weight_copies = std::make_shared<WeightCopies>();
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

void DescribedBackend::require(DType activations) const { require_storage(activations); }
std::string DescribedBackend::choices() const { return text_of_choices(*context_.convolutions); }

std::unique_ptr<Buffer> DescribedBackend::allocate(int64_t bytes) {
  return std::make_unique<ReservedBuffer>(bytes, allocated_);
}

void DescribedBackend::download(void*, const void*, int64_t) {
  throw Error(ExitCode::kFailure, "A GPU that is only described has computed nothing that could be read.");
}

std::unique_ptr<Op> DescribedBackend::make_op(const OpSpec& spec, const OpDesc& desc) {
  return cuda::make_op(context_, kernels_, spec, desc);
}

bool DescribedBackend::supports_row_stride(const OpSpec& spec) const { return ops::supports_row_stride(spec); }
bool DescribedBackend::supports_fused_activation(const BatchNorm& spec) const {
  return ops::supports_fused_activation(spec);
}
int64_t DescribedBackend::image_row_stride(int64_t channels, DType dtype) const {
  return cuda::image_row_stride(channels, dtype);
}

void DescribedBackend::pack(std::span<const OpCall> calls) {
  gather_copies(context_, [&] { Backend::pack(calls); });
}
void DescribedBackend::unpack(std::span<const OpCall> calls) {
  gather_copies(context_, [&] { Backend::unpack(calls); });
}

std::unique_ptr<Recording> DescribedBackend::record(std::function<void()> work) {
  return ops::record_calls(std::move(work));
}

void DescribedBackend::load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  cuda::load_images(context_, x, images_u8, normalization);
}
void DescribedBackend::sum(const Tensor& dst, const std::vector<Tensor>& srcs) { cuda::sum(context_, dst, srcs); }
void DescribedBackend::sgd_step(const SgdUpdate& update) { this->update({.updates = {&update, 1}}); }
void DescribedBackend::update(const ParameterUpdate& all) {
  GatheredWork unpacks = gather(context_, [&] { Backend::unpack(all.unpacks); });
  GatheredWork packs = gather(context_, [&] { Backend::pack(all.packs); });
  cuda::update(context_, all.updates, std::move(unpacks), std::move(packs));
}
void DescribedBackend::blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) {
  cuda::blend(context_, running, batch, factor, weight);
}

}  // namespace bn::cuda
