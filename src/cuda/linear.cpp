// Linear as three matrix products over plain row-major matrices: y = x w^T, dx = dy w, dw = dy^T x. Exact f32 weights
// are read as they lie in Parameters ([o, i]); bf16 or folded ones from a copy that pack() refreshes. Logits may be f32
// where x is bf16: their gradient is rounded to bf16 for the library, and dw never.
#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "core/regions.hpp"
#include "cuda/cublas_product.hpp"
#include "cuda/folding.hpp"
#include "cuda/kernels/weights.hpp"
#include "cuda/launch.hpp"
#include "cuda/library_ops.hpp"
#include "cuda/weight_copies.hpp"

namespace bn::cuda {
namespace {

void require_proper(const OpDesc& desc) {
  refuse_row_strides(desc);
  const DType x = desc.x.at(0).dtype, y = desc.y.dtype;
  if ((x == DType::kF32 || x == DType::kBf16) && (y == x || y == DType::kF32)) return;
  throw UnsupportedError(
      fmt::format("A linear op takes f32 or bf16 and gives the same or f32, not {} to {}.", name_of(x), name_of(y)));
}

class LinearOp final : public Op {
 public:
  LinearOp(const Context& context, const Linear& spec, const OpDesc& desc)
      : context_(context),
        dtype_(desc.x.at(0).dtype),
        y_dtype_(desc.y.dtype),
        images_(desc.x[0].shape.n),
        inputs_(desc.x[0].shape.elements() / desc.x[0].shape.n),
        outputs_(spec.out_features),
        folding_(context, spec.folded, desc, packed_) {
    require_proper(desc);
    keeps_copy_ = spec.folded || dtype_ != DType::kF32;
    if (keeps_copy_) weights_offset_ = packed_.add(outputs_ * inputs_ * size_of(dtype_));
    prepare(desc);
  }

  int64_t scratch_bytes() const override { return scratch_.bytes(); }
  int64_t packed_bytes() const override { return packed_.bytes(); }
  std::string implementation() const override { return "cublasLt: " + forward_.algorithm(); }

  void pack(const OpIo& io) override {
    if (!keeps_copy_) return;
    folding_.prepare(io, 1);
    void* packed = at(io.packed, weights_offset_);
    const auto* w = io.w.at(0).as<const float>();
    if (const float* scale = folding_.scale(io.packed)) {
      scale_weights(context_, packed, dtype_, w, scale, {.outputs = outputs_, .channels = inputs_, .width = inputs_});
      return;
    }
    copy_or_gather(context_, rounded_copy(packed, w, outputs_ * inputs_));
  }

  void forward(const OpIo& io) override {
    run(forward_, io.y.data, io.x.at(0).data, weights(io), at(io.scratch, workspace_offset_));
    folding_.finish(io);
  }

  void backward(const OpIo& io) override {
    void* workspace = at(io.scratch, workspace_offset_);
    const void* dy = io.dy.data;
    if (rounds_dy()) {
      void* rounded = at(io.scratch, dy_offset_);
      const WeightCopy copy = rounded_copy(rounded, io.dy.as<const float>(), images_ * outputs_);
      copy_weights(context_, {&copy, 1});
      dy = rounded;
    }
    if (!input_gradient_.empty()) run(input_gradient_, io.dx.at(0).data, dy, weights(io), workspace);
    run(weight_gradient_, io.dw.at(0).data, dy, io.x.at(0).data, workspace);
  }

 private:
  void run(const Product& product, void* result, const void* a, const void* b, void* workspace) const {
    product.run(result, a, b, workspace);
    after_launch(context_, "of cuBLASLt's product");
  }

  WeightCopy rounded_copy(void* to, const float* from, int64_t count) const {
    return {.from = from, .to = to, .to_dtype = dtype_, .from_width = count, .to_width = count};
  }
  bool rounds_dy() const { return y_dtype_ != dtype_; }
  const void* weights(const OpIo& io) const { return keeps_copy_ ? at(io.packed, weights_offset_) : io.w.at(0).data; }

  void prepare(const OpDesc& desc) {
    const Factor x{images_, inputs_}, w{outputs_, inputs_}, dy{images_, outputs_};
    const Factor w_transposed{outputs_, inputs_, Transposed::kYes}, dy_transposed{images_, outputs_, Transposed::kYes};
    forward_ = Product(context_, {.a = x, .b = w_transposed, .dtype = dtype_, .result_dtype = y_dtype_});
    if (desc.has_backward) {
      if (desc.wants_dx.at(0)) {
        input_gradient_ = Product(context_, {.a = dy, .b = w, .dtype = dtype_, .result_dtype = dtype_});
      }
      weight_gradient_ = Product(context_, {.a = dy_transposed, .b = x, .dtype = dtype_, .result_dtype = DType::kF32});
      if (rounds_dy()) dy_offset_ = scratch_.add(images_ * outputs_ * size_of(dtype_));
    }
    workspace_offset_ = scratch_.add(
        std::max({forward_.workspace_bytes(), input_gradient_.workspace_bytes(), weight_gradient_.workspace_bytes()}));
  }

  const Context& context_;
  DType dtype_, y_dtype_;
  int64_t images_, inputs_, outputs_;
  Regions packed_, scratch_;
  Folding folding_;
  bool keeps_copy_ = false;
  Product forward_, input_gradient_, weight_gradient_;
  int64_t weights_offset_ = 0, dy_offset_ = 0, workspace_offset_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_linear(const Context& context, const Linear& spec, const OpDesc& desc) {
  return std::make_unique<LinearOp>(context, spec, desc);
}

}  // namespace bn::cuda
