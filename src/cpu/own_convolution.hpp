// A convolution of stride 1 by kernels of our own, Winograd's or AMX's, of three directions: the input gradient is a
// convolution of dy with windows rotated by half a turn.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/op_checks.hpp"
#include "core/regions.hpp"
#include "cpu/library_ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {

// How weights, ohwi, are packed: as stored their i are summed over, rotated their o.
enum class WindowOrder { kAsStored, kRotated };

// to[n, r, s, :] = activation(sum over windows of from[n, r - pad + i, s - pad + j, :] times weights + bias); zero
// outside the map.
struct CorrelationCall {
  void* to;
  const void* from;
  void* weights;  // packed
  const float* bias = nullptr;
  Activation activation = Activation::kNone;
};

// One direction of a convolution, or its weight gradient, where `from` is x and `to` is y.
struct DirectionDesc {
  DType maps;
  Shape from, to;
  ConvolutionWindow window;
  int threads;
  bool trains;  // else what an image gives must not depend on its place in the batch
};

inline DirectionDesc forward_of(const ConvolutionWindow& window, const OpDesc& desc) {
  return {.maps = desc.y.dtype,
          .from = desc.x.at(0).shape,
          .to = desc.y.shape,
          .window = window,
          .threads = omp_get_max_threads(),
          .trains = desc.has_backward};
}

inline DirectionDesc input_gradient_of(DirectionDesc forward) {
  std::swap(forward.from, forward.to);
  forward.window.pad = forward.window.kernel - 1 - forward.window.pad;
  return forward;
}

// As many values as fill an odd number of cache lines: rows at such a distance lie in different sets of a cache.
inline int64_t odd_lines(int64_t values, DType dtype) {
  const int64_t values_of_line = 64 / size_of(dtype);
  return (divide_up(values, values_of_line) | 1) * values_of_line;
}

// A WeightGradient computes dw[o, i, j, :] = sum over images and pixels of dy[.., o] x[.., :].
template <class Correlation, class WeightGradient>
class OwnConvolution final : public Convolution {
 public:
  // `folded`: adds a bias and applies the activation; without backward only.
  OwnConvolution(const ConvolutionWindow& window, const std::optional<Folded>& folded, const OpDesc& desc)
      : implementation_(Correlation::implementation(desc.y.dtype)),
        has_bias_(folded.has_value()),
        activation_(folded ? folded->activation : Activation::kNone),
        forward_(forward_of(window, desc)) {
    refuse_row_strides(desc);
    require_no_backward(folded, desc);
    const DirectionDesc forward = forward_of(window, desc);
    packed_.add(forward_.weight_bytes());
    scratch_bytes_ = forward_.scratch_bytes();
    if (has_bias_) bias_offset_ = packed_.add(desc.y.shape.c * size_of(DType::kF32));
    if (!desc.has_backward) return;
    if (desc.wants_dx.at(0)) {
      input_gradient_.emplace(input_gradient_of(forward));
      Regions regions;
      regions.add(input_gradient_->weight_bytes());
      after_weights_offset_ = regions.add(input_gradient_->scratch_bytes());
      scratch_bytes_ = std::max(scratch_bytes_, regions.bytes());
    }
    weight_gradient_.emplace(forward);
    scratch_bytes_ = std::max(scratch_bytes_, weight_gradient_->scratch_bytes());
  }

  int64_t packed_bytes() const override { return packed_.bytes(); }
  int64_t scratch_bytes() const override { return scratch_bytes_; }
  std::string implementation() const override { return implementation_; }

  float* bias(void* packed) const override { return static_cast<float*>(at(packed, bias_offset_)); }
  void pack(void* packed, float* w, void*) override { forward_.pack(at(packed, 0), w, WindowOrder::kAsStored); }

  void forward(const OpIo& io) override {
    forward_.run({.to = io.y.data,
                  .from = io.x[0].data,
                  .weights = at(io.packed, 0),
                  .bias = has_bias_ ? bias(io.packed) : nullptr,
                  .activation = activation_},
                 io.scratch);
  }

  void backward(float* dw, const OpIo& io, void* scratch) override {
    if (input_gradient_) {
      // Larger than w and read once a step, these weights live in scratch.
      void* weights = at(scratch, 0);
      input_gradient_->pack(weights, io.w[0].as<const float>(), WindowOrder::kRotated);
      input_gradient_->run({.to = io.dx[0].data, .from = io.dy.data, .weights = weights},
                           at(scratch, after_weights_offset_));
    }
    weight_gradient_->run(dw, io.x[0].data, io.dy.data, scratch);
  }

 private:
  std::string implementation_;
  bool has_bias_;
  Activation activation_;
  Correlation forward_;
  std::optional<Correlation> input_gradient_;
  std::optional<WeightGradient> weight_gradient_;
  Regions packed_;
  int64_t bias_offset_ = 0;
  int64_t after_weights_offset_ = 0, scratch_bytes_ = 0;  // the former in scratch, for the input gradient
};

}  // namespace bn::cpu
