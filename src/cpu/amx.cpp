#include "cpu/amx.hpp"

#include <omp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "core/op_checks.hpp"
#include "cpu/folding.hpp"
#include "cpu/onednn_api.hpp"

namespace bn::cpu {
namespace {

// Where all directions that are asked for gain together. Quotients of times over BN-Inception's shapes, oneDNN's or
// Winograd's / ours, on two cores of an Intel Xeon whose neighbours slow AMX down
// (experiments/benchmarks/cpu_notes.md):
//                         forward        forward and backward
//   f32, 1x1              1.1 to 2.9     0.8 to 1.0; of 160 outputs and more 1.0 to 1.3; on maps up to 4x4 1.0 to 1.9
//        3x3              0.4 to 1.2     0.4 to 1.1
//   bf16, 1x1             0.6 to 1.2     0.6 to 1.1
//         3x3             0.8 to 1.1     0.8 to 0.9; on maps up to 16x16 1.0 to 2.0
//         3x3, up to 4x4  1.1 to 2.1     2.1 to 4.2
constexpr int64_t kLeastChannels = 64;
constexpr int64_t kLeastInputsOfProduct = 128;
constexpr int64_t kManyOutputs = 160;
constexpr int64_t kTinyMap = 4, kSmallMap = 16;

// Linux saves the tiles of programs alone that have asked for them.
bool may_use_tiles() {
#if defined(__x86_64__)
  constexpr int64_t kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM
  static const bool may = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return may;
#else
  return false;
#endif
}

}  // namespace

bool has_amx() {
  return kernels().amx_f32.multiply != nullptr && instruction_set_name().find("amx") != std::string::npos &&
         may_use_tiles();
}

bool allows_amx(const ConvolutionWindow& window, const OpDesc& desc) {
  const TensorDesc &x = desc.x.at(0), &y = desc.y;
  return window.stride == 1 && window.pad < window.kernel && x.dtype == y.dtype;
}

bool suits_amx(const ConvolutionWindow& window, const OpDesc& desc) {
  const Shape &x = desc.x.at(0).shape, &y = desc.y.shape;
  if (!allows_amx(window, desc) || std::min(x.c, y.c) < kLeastChannels) return false;
  const int64_t side = std::max(y.h, y.w);
  if (desc.y.dtype == DType::kBf16) {
    return window.kernel == 3 && side <= (desc.has_backward ? kSmallMap : kTinyMap);
  }
  if (window.kernel != 1) return false;
  if (!desc.has_backward) return x.c >= kLeastInputsOfProduct;
  return y.c >= kManyOutputs || side <= kTinyMap;
}

AmxConvolution::AmxConvolution(const ConvolutionWindow& window, const std::optional<Folded>& folded, const OpDesc& desc)
    : implementation_(desc.y.dtype == DType::kF32 ? "amx_bf16x3" : "amx_bf16"),
      has_bias_(folded.has_value()),
      activation_(folded ? folded->activation : Activation::kNone),
      forward_(desc.y.dtype, desc.x.at(0).shape, desc.y.shape, window.kernel, window.pad, omp_get_max_threads()) {
  refuse_row_strides(desc);
  require_no_backward(folded, desc);
  const Shape &x = desc.x[0].shape, &y = desc.y.shape;
  const int threads = omp_get_max_threads();
  packed_.add(forward_.weight_bytes());
  scratch_bytes_ = forward_.scratch_bytes();
  if (has_bias_) bias_offset_ = packed_.add(y.c * size_of(DType::kF32));
  if (!desc.has_backward) return;
  if (desc.wants_dx.at(0)) {
    input_gradient_.emplace(desc.y.dtype, y, x, window.kernel, window.kernel - 1 - window.pad, threads);
    rotated_offset_ = packed_.add(input_gradient_->weight_bytes());
    scratch_bytes_ = std::max(scratch_bytes_, input_gradient_->scratch_bytes());
  }
  weight_gradient_.emplace(desc.y.dtype, x, y, window.kernel, window.pad, threads);
  scratch_bytes_ = std::max(scratch_bytes_, weight_gradient_->scratch_bytes());
}

void AmxConvolution::pack(void* packed, float* w, void*) {
  forward_.pack(at(packed, 0), w, WindowOrder::kAsStored);
  if (input_gradient_) input_gradient_->pack(at(packed, rotated_offset_), w, WindowOrder::kRotated);
}

void AmxConvolution::forward(const OpIo& io) {
  forward_.run({.to = io.y.data,
                .from = io.x[0].data,
                .weights = at(io.packed, 0),
                .bias = has_bias_ ? bias(io.packed) : nullptr,
                .activation = activation_},
               io.scratch);
}

void AmxConvolution::backward(float* dw, const OpIo& io, void* scratch) {
  if (input_gradient_) {
    input_gradient_->run({.to = io.dx[0].data, .from = io.dy.data, .weights = at(io.packed, rotated_offset_)}, scratch);
  }
  weight_gradient_->run(dw, io.x[0].data, io.dy.data, scratch);
}

}  // namespace bn::cpu
