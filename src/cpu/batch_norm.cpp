// Batch normalisation by our own kernels (paper: Algorithm 1; backward: the chain rule of sec. 3 with its sums
// collected), fused with the activation that follows it.
//
// Bytes moved per element: forward reads x twice and writes y; backward reads x, dy (and y, for a sigmoid) twice and
// writes dx. ReLU's derivative comes from y's sign, computed again from x by what forward normalised it with.
#include <fmt/format.h>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "cpu/columns.hpp"
#include "cpu/ops.hpp"

namespace bn::cpu {
namespace {

class BatchNormCustom final : public Op {
 public:
  BatchNormCustom(const BatchNorm& spec, const OpDesc& desc, int64_t m, int64_t c)
      : spec_(spec), phase_(desc.phase), has_backward_(desc.has_backward), tiles_(m, c), m_(m), c_(c) {}

  int64_t saved_bytes() const override { return saves() ? 3 * float_bytes() : 0; }  // mean_low, scale, shift
  int64_t scratch_bytes() const override {
    if (phase_ == Phase::kEvaluate) return float_bytes();
    return partial_bytes() + 3 * float_bytes();
  }
  void forward(const OpIo& io) override;
  void backward(const OpIo& io) override;
  std::string implementation() const override { return std::string("own:") + kernels_.instruction_set; }

 private:
  bool saves() const { return phase_ == Phase::kTrain && has_backward_; }
  int64_t float_bytes() const { return c_ * static_cast<int64_t>(sizeof(float)); }
  int64_t partial_bytes() const { return tiles_.partial_elements() * static_cast<int64_t>(sizeof(double)); }
  double* partial(const OpIo& io) const { return static_cast<double*>(io.scratch); }
  // The index-th array of c floats behind the partial sums.
  float* column_array(const OpIo& io, int64_t index) const {
    return reinterpret_cast<float*>(static_cast<uint8_t*>(io.scratch) + partial_bytes()) + index * c_;
  }
  // The index-th of the arrays that forward keeps for backward, if one will come.
  float* kept_array(const OpIo& io, int64_t index) const {
    return saves() ? static_cast<float*>(io.saved) + index * c_ : column_array(io, index);
  }
  BatchStatistics statistics(const OpIo& io) const {
    return {.mean = io.state[0].as<float>(), .mean_low = kept_array(io, 0), .var = io.state[1].as<float>()};
  }
  float* scale(const OpIo& io) const { return kept_array(io, 1); }
  float* shift(const OpIo& io) const { return kept_array(io, 2); }
  NormalizeColumns normalization(const OpIo& io) const {
    return {.mean = io.state[0].as<float>(), .scale = scale(io), .shift = shift(io)};
  }
  AffineColumns affine(const OpIo& io) const { return {io.w[0].as<float>(), io.w[1].as<float>(), spec_.eps}; }

  BatchNorm spec_;
  Phase phase_;
  bool has_backward_;
  Tiles tiles_;
  int64_t m_, c_;
  const Kernels& kernels_ = kernels();
};

void BatchNormCustom::forward(const OpIo& io) {
  const Matrix x = matrix_of(io.x[0], spec_.scope), y = matrix_of(io.y, spec_.scope);  // [m, c]
  if (phase_ == Phase::kEvaluate) {
    auto* population_scale = static_cast<float*>(io.scratch);
    kernels_.statistics.prepare_population(population_scale, io.state[1].as<float>(), affine(io), c_);
    const NormalizeColumns by{.mean = io.state[0].as<float>(), .scale = population_scale, .shift = io.w[1].as<float>()};
    column_normalize(y, x, by, spec_.activation, tiles_, kernels_);
    return;
  }
  column_reduce(partial(io), x, tiles_, kernels_);
  const BatchStatistics batch = statistics(io);
  kernels_.statistics.prepare_batch(batch, scale(io), shift(io), partial(io), partial(io) + c_, affine(io), m_, c_);
  column_normalize(y, x, normalization(io), spec_.activation, tiles_, kernels_);
}

void BatchNormCustom::backward(const OpIo& io) {
  const Matrix x = matrix_of(io.x[0], spec_.scope), dy = matrix_of(io.dy, spec_.scope);  // [m, c]
  const Matrix y = spec_.activation == Activation::kSigmoid ? matrix_of(io.y, spec_.scope) : Matrix{};
  const BatchStatistics batch = statistics(io);
  column_gradient_sums(partial(io), dy, x, y, normalization(io), spec_.activation, tiles_, kernels_);
  const GradientColumns columns{.dgamma = io.dw[0].as<float>(),
                                .dbeta = io.dw[1].as<float>(),
                                .dz_factor = column_array(io, 0),
                                .x_factor = column_array(io, 1),
                                .constant = column_array(io, 2)};
  kernels_.statistics.prepare_gradient(columns, partial(io), partial(io) + c_, batch, affine(io), m_, c_);
  if (!io.dx[0]) return;
  const InputGradientColumns by{
      .dz_factor = columns.dz_factor, .x_factor = columns.x_factor, .constant = columns.constant};
  column_input_gradient(matrix_of(io.dx[0], spec_.scope), dy, x, y, normalization(io), by, spec_.activation, tiles_,
                        kernels_);
}

}  // namespace

std::unique_ptr<Op> make_batch_norm_custom(const BatchNorm& spec, const OpDesc& desc) {
  require_activations(desc);
  const Shape& x = desc.x.at(0).shape;
  if (spec.scope == BatchNormScope::kPerActivation) refuse_row_strides(desc);
  const int64_t m = spec.scope == BatchNormScope::kSpatial ? x.rows() : x.n;
  if (desc.phase == Phase::kTrain && m < 2) {
    throw ShapeError(fmt::format("Batch normalisation needs at least two values per feature, and {} gives m = {}.",
                                 to_string(x), m));
  }
  return std::make_unique<BatchNormCustom>(spec, desc, m, x.elements() / m);
}

}  // namespace bn::cpu
