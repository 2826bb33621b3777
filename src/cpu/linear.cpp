// Linear as three matrix products over plain row-major matrices: y = x w^T, dx = dy w, dw = dy^T x. The weights are
// read as they lie in Parameters ([o, i], f32): for the small layers of this paper the library's packed layouts gain
// less than the packing costs (784 -> 100 at batch 60: 7 of 103 us, against 14 us; 1024 -> 1000: 0.25 ms against 4).
// Only bf16, which must be rounded, and folded weights are kept as a copy, in the same order.
#include <algorithm>

#include "core/op_checks.hpp"
#include "cpu/library_ops.hpp"
#include "cpu/onednn.hpp"

namespace bn::cpu {
namespace {

PreparedCall prepare_product(const dnnl::memory::desc& y, const dnnl::memory::desc& a, const dnnl::memory::desc& b) {
  return {matrix_product(y, a, b, attributes()), {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST}};
}

class LinearOp final : public Op {
 public:
  LinearOp(const Linear& spec, const OpDesc& desc)
      : folded_(spec.folded),
        dtype_(desc.x.at(0).dtype),
        images_(desc.x[0].shape.n),
        inputs_(desc.x[0].shape.elements() / desc.x[0].shape.n),
        outputs_(spec.out_features) {
    refuse_row_strides(desc);
    require_no_backward(folded_, desc);
    prepare_forward(desc);
    if (desc.has_backward) prepare_backward(desc);
    divide_scratch(desc);
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  int64_t packed_bytes() const override { return packed_bytes_; }
  std::string implementation() const override { return forward_.implementation(); }

  void pack(const OpIo& io) override {
    auto* w = io.w.at(0).as<float>();
    if (folded_) {
      auto* folded_w = static_cast<float*>(at(dtype_ == DType::kF32 ? io.packed : io.scratch, 0));
      fold(folded_w, static_cast<float*>(at(io.packed, bias_offset_)), w, outputs_, inputs_, *folded_, io, 1);
      w = folded_w;
    }
    if (!round_w_.empty()) {
      round_w_.run({{DNNL_ARG_FROM, w}, {DNNL_ARG_TO, at(io.packed, 0)}}, at(io.scratch, library_scratch_));
    }
  }

  void forward(const OpIo& io) override {
    forward_.run({{DNNL_ARG_SRC, io.x[0].data},
                  {DNNL_ARG_WEIGHTS, weights(io)},
                  {DNNL_ARG_BIAS, at(io.packed, bias_offset_)},  // ignored where there is none
                  {DNNL_ARG_DST, io.y.data}},
                 at(io.scratch, library_scratch_));
  }

  void backward(const OpIo& io) override {
    void* rest = at(io.scratch, library_scratch_);
    void* dy = io.dy.data;
    if (!round_dy_.empty()) {
      round_dy_.run({{DNNL_ARG_FROM, dy}, {DNNL_ARG_TO, at(io.scratch, 0)}}, rest);
      dy = at(io.scratch, 0);
    }
    if (!backward_data_.empty()) {
      backward_data_.run({{DNNL_ARG_SRC, dy}, {DNNL_ARG_WEIGHTS, weights(io)}, {DNNL_ARG_DST, io.dx[0].data}}, rest);
    }
    backward_weights_.run({{DNNL_ARG_SRC, dy}, {DNNL_ARG_WEIGHTS, io.x[0].data}, {DNNL_ARG_DST, io.dw[0].data}}, rest);
  }

 private:
  bool keeps_copy() const { return folded_ || dtype_ != DType::kF32; }
  void* weights(const OpIo& io) const { return keeps_copy() ? at(io.packed, 0) : io.w[0].data; }

  void prepare_forward(const OpDesc& desc) {
    const auto x = row_major(dtype_, images_, inputs_);
    const auto w_transposed = column_major(dtype_, inputs_, outputs_);
    const auto y = row_major(desc.y.dtype, images_, outputs_);
    const auto bias = folded_ ? row_major(DType::kF32, 1, outputs_) : dnnl::memory::desc();
    const Activation activation = folded_ ? folded_->activation : Activation::kNone;
    forward_ = PreparedCall(matrix_product(y, x, w_transposed, attributes(activation), bias),
                            {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST});
    if (dtype_ != DType::kF32) {
      round_w_ = prepare_reorder(row_major(DType::kF32, outputs_, inputs_), row_major(dtype_, outputs_, inputs_));
    }
    Regions packed;
    if (keeps_copy()) packed.add(outputs_ * inputs_ * size_of(dtype_));
    if (folded_) bias_offset_ = packed.add(outputs_ * size_of(DType::kF32));
    packed_bytes_ = packed.bytes();
  }

  void prepare_backward(const OpDesc& desc) {
    const auto dy = row_major(dtype_, images_, outputs_);
    if (desc.y.dtype != dtype_) round_dy_ = prepare_reorder(row_major(desc.y.dtype, images_, outputs_), dy);
    if (desc.wants_dx.at(0)) {
      backward_data_ = prepare_product(row_major(dtype_, images_, inputs_), dy, row_major(dtype_, outputs_, inputs_));
    }
    backward_weights_ = prepare_product(row_major(DType::kF32, outputs_, inputs_),
                                        column_major(dtype_, outputs_, images_), row_major(dtype_, images_, inputs_));
  }

  // Scratch holds the rounded copy (folded weights in pack, dy in backward), then the library's own.
  void divide_scratch(const OpDesc& desc) {
    int64_t rounding_bytes = 0;
    if (folded_ && dtype_ != DType::kF32) rounding_bytes = outputs_ * inputs_ * size_of(DType::kF32);
    if (desc.has_backward && desc.y.dtype != dtype_) rounding_bytes = images_ * outputs_ * size_of(dtype_);
    Regions scratch;
    scratch.add(rounding_bytes);
    library_scratch_ =
        scratch.add(std::max({forward_.scratch_bytes(), round_w_.scratch_bytes(), round_dy_.scratch_bytes(),
                              backward_data_.scratch_bytes(), backward_weights_.scratch_bytes()}));
    scratch_bytes_ = scratch.bytes();
  }

  std::optional<Folded> folded_;
  DType dtype_;
  int64_t images_, inputs_, outputs_;
  PreparedCall forward_, backward_data_, backward_weights_, round_w_, round_dy_;
  int64_t packed_bytes_ = 0, bias_offset_ = 0;
  int64_t scratch_bytes_ = 0, library_scratch_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_linear(const Linear& spec, const OpDesc& desc) {
  return std::make_unique<LinearOp>(spec, desc);
}

}  // namespace bn::cpu
