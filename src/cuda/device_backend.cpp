#include "cuda/device_backend.hpp"

#include <fmt/format.h>

#include <sstream>
#include <string_view>

#include "bn/error.hpp"
#include "cuda/dense_convolution.hpp"
#include "cuda/library_ops.hpp"
#include "cuda/updates.hpp"
#include "cuda/weight_copies.hpp"
#include "ops/own_ops.hpp"

namespace bn::cuda {
namespace {
constexpr std::string_view kBetween = ": ";
}

DeviceBackend::DeviceBackend(const CudaOptions& options) {
  context_.options = options;
  context_.weight_copies = std::make_shared<WeightCopies>();
}

void DeviceBackend::require(DType activations) const {
  if (activations == DType::kF32 || activations == DType::kBf16) return;
  throw UnsupportedError(fmt::format("Activations cannot be stored as {}.", name_of(activations)));
}

std::string DeviceBackend::choices() const {
  std::string text;
  for (const auto& [problem, engine] : context_.convolutions->chosen) {
    text.append(problem).append(kBetween).append(engine).append("\n");
  }
  return text;
}

void DeviceBackend::repeat_choices(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t end = line.find(kBetween);
    if (end == std::string::npos) continue;
    context_.convolutions->wanted[line.substr(0, end)] = line.substr(end + kBetween.size());
  }
}

std::unique_ptr<Op> DeviceBackend::make_batch_norm(const BatchNorm& spec, const OpDesc& desc) const {
  switch (spec.implementation) {
    case BatchNormImplementation::kCustom:
      return ops::make_op(kernels_, spec, desc);
    case BatchNormImplementation::kCudnn:
      return make_batch_norm_cudnn(context_, spec, desc);
    case BatchNormImplementation::kOnednn:
      break;
  }
  throw UnsupportedError("batch_norm.implementation onednn needs the CPU; on a CUDA device it can be custom or cudnn.");
}

std::unique_ptr<Op> DeviceBackend::make_op(const OpSpec& spec, const OpDesc& desc) {
  enter_thread();
  return std::visit(Overloaded{
                        [&](const Conv2d& s) { return make_conv2d(context_, s, desc); },
                        [&](const SeparableConv2d& s) { return make_separable_conv2d(context_, s, desc); },
                        [&](const Linear& s) { return make_linear(context_, s, desc); },
                        [&](const BatchNorm& s) { return make_batch_norm(s, desc); },
                        [&](const auto& s) { return ops::make_op(kernels_, s, desc); },
                    },
                    spec);
}

int64_t DeviceBackend::image_row_stride(int64_t channels, DType dtype) const {
  return cuda::image_row_stride(channels, dtype);
}

void DeviceBackend::pack(std::span<const OpCall> calls) {
  start(context_, gather(context_, [&] { Backend::pack(calls); }));
}
void DeviceBackend::unpack(std::span<const OpCall> calls) {
  start(context_, gather(context_, [&] { Backend::unpack(calls); }));
}

void DeviceBackend::load_images(const Tensor& x, const Tensor& images_u8, const ImageNormalization& normalization) {
  cuda::load_images(context_, x, images_u8, normalization);
}
void DeviceBackend::sum(const Tensor& dst, const std::vector<Tensor>& srcs) { cuda::sum(context_, dst, srcs); }
void DeviceBackend::update(const ParameterUpdate& all) {
  enter_thread();
  GatheredWork unpacks = gather(context_, [&] { Backend::unpack(all.unpacks); });
  GatheredWork packs = gather(context_, [&] { Backend::pack(all.packs); });
  cuda::update(context_, all.updates, std::move(unpacks), std::move(packs));
}
void DeviceBackend::blend(const Tensor& running, const Tensor& batch, const Tensor& factor, const float* weight) {
  enter_thread();
  cuda::blend(context_, running, batch, factor, weight);
}

}  // namespace bn::cuda
