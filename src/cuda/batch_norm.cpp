// Batch normalisation by our own kernels (paper: Algorithm 1; backward: the chain rule of sec. 3 with its sums
// collected), fused with the activation that follows it.
//
// Bytes moved per element, streamed (for on chip, see kernels/on_chip.cu): forward reads x twice and writes y; backward
// reads x and dy twice and writes dx. y is never read: the activation's derivative comes from x.
#include <fmt/format.h>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "cuda/kernels/columns.hpp"
#include "cuda/kernels/on_chip.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

class BatchNormCustom final : public Op {
 public:
  BatchNormCustom(const Context& context, const BatchNorm& spec, const OpDesc& desc, int64_t m, int64_t c)
      : context_(context),
        spec_(spec),
        phase_(desc.phase),
        has_backward_(desc.has_backward),
        m_(m),
        c_(c),
        partial_bytes_(partial_bytes(context, c)) {}

  int64_t saved_bytes() const override { return saves() ? kBatchArrays * array_bytes() : 0; }
  int64_t scratch_bytes() const override {
    if (phase_ == Phase::kEvaluate) return array_bytes();
    return (kBatchArrays + kGradientArrays) * array_bytes() + partial_bytes_;
  }
  void forward(const OpIo& io) override;
  void backward(const OpIo& io) override;
  std::string implementation() const override {
    if (is_on_chip(kBackwardMatrices)) return "own:on_chip";
    return is_on_chip(kForwardMatrices) ? "own:on_chip_forward" : "own:streamed";
  }

 private:
  static constexpr int64_t kBatchArrays = 3, kGradientArrays = 2;    // of c floats
  static constexpr int kForwardMatrices = 1, kBackwardMatrices = 2;  // that stay on chip
  bool is_on_chip(int kept) const {
    return context_.options.batch_norm_reading == BatchNormReading::kOnChip && fits_on_chip(context_, m_, kept);
  }
  bool saves() const { return phase_ == Phase::kTrain && has_backward_; }
  int64_t array_bytes() const { return c_ * static_cast<int64_t>(sizeof(float)); }
  float* array(void* base, int64_t index) const { return static_cast<float*>(base) + index * c_; }
  // Scratch: [batch arrays, unless they are saved; gradient arrays; partial sums].
  float* partial(const OpIo& io) const { return array(io.scratch, kBatchArrays + kGradientArrays); }
  BatchColumns batch(const OpIo& io) const {
    void* base = saves() ? io.saved : io.scratch;
    return {.mean = io.state[0].as<float>(),
            .mean_low = array(base, 0),
            .var = io.state[1].as<float>(),
            .scale = array(base, 1),
            .shift = array(base, 2)};
  }
  AffineColumns affine(const OpIo& io) const { return {io.w[0].as<float>(), io.w[1].as<float>(), spec_.eps}; }

  const Context& context_;
  BatchNorm spec_;
  Phase phase_;
  bool has_backward_;
  int64_t m_, c_;
  int64_t partial_bytes_;
};

void BatchNormCustom::forward(const OpIo& io) {
  const Matrix x = matrix_of(io.x[0], spec_.scope), y = matrix_of(io.y, spec_.scope);  // [m, c]
  if (phase_ == Phase::kEvaluate) {
    auto* scale = static_cast<float*>(io.scratch);
    population_scale(context_, scale, io.state[1].as<float>(), affine(io), c_);
    column_normalize(context_, y, x, {.mean = io.state[0].as<float>(), .scale = scale, .shift = io.w[1].as<float>()},
                     spec_.activation);
    return;
  }
  const BatchColumns columns = batch(io);
  if (is_on_chip(kForwardMatrices)) {
    on_chip_forward(context_, y, x, columns, affine(io), spec_.activation);
    return;
  }
  column_reduce(context_, columns, partial(io), x, affine(io));
  column_normalize(context_, y, x, {.mean = columns.mean, .scale = columns.scale, .shift = columns.shift},
                   spec_.activation);
}

void BatchNormCustom::backward(const OpIo& io) {
  const Matrix x = matrix_of(io.x[0], spec_.scope), dy = matrix_of(io.dy, spec_.scope);  // [m, c]
  const BatchColumns columns = batch(io);
  const GradientColumns gradient{.dgamma = io.dw[0].as<float>(),
                                 .dbeta = io.dw[1].as<float>(),
                                 .x_factor = array(io.scratch, kBatchArrays),
                                 .constant = array(io.scratch, kBatchArrays + 1)};
  if (is_on_chip(kBackwardMatrices)) {
    on_chip_backward(context_, matrix_of(io.dx[0], spec_.scope), dy, x, columns, gradient, spec_.eps, spec_.activation);
    return;
  }
  column_gradient_sums(context_, gradient, partial(io), dy, x, columns, spec_.eps, spec_.activation);
  if (!io.dx[0]) return;
  column_input_gradient(context_, matrix_of(io.dx[0], spec_.scope), dy, x, columns, gradient, spec_.activation);
}

}  // namespace

std::unique_ptr<Op> make_batch_norm_custom(const Context& context, const BatchNorm& spec, const OpDesc& desc) {
  require_activations(desc);
  const Shape& x = desc.x.at(0).shape;
  if (spec.scope == BatchNormScope::kPerActivation) refuse_row_strides(desc);
  const int64_t m = spec.scope == BatchNormScope::kSpatial ? x.rows() : x.n;
  if (desc.phase == Phase::kTrain && m < 2) {
    throw ShapeError(fmt::format("Batch normalisation needs at least two values per feature, and {} gives m = {}.",
                                 to_string(x), m));
  }
  return std::make_unique<BatchNormCustom>(context, spec, desc, m, x.elements() / m);
}

}  // namespace bn::cuda
