// Batch normalisation by our own kernels (paper: Algorithm 1; backward: the chain rule of sec. 3 with its sums
// collected), fused with the activation that follows it.
//
// Bytes moved per element: forward reads x twice and writes y; backward reads x and dy twice and writes dx. A backend
// may read y for a sigmoid. ReLU's derivative comes from y's sign, computed again from x with the mean, scale and shift
// that forward used.
//
// A frozen batch norm trains in the evaluation phase: dx = dz * gamma / sqrt(var + eps), and no gradient of its own.
#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

class BatchNormOp final : public OwnOp {
 public:
  BatchNormOp(const OwnKernels& kernels, const BatchNorm& spec, const OpDesc& desc, int64_t m, int64_t c)
      : OwnOp(kernels),
        spec_(spec),
        phase_(desc.phase),
        has_backward_(desc.has_backward),
        c_(c),
        exchange_(spec.synchronised_parts > 1 ? desc.exchange : nullptr),
        partial_bytes_(kernels.partial_bytes(m, c)) {
    // A backend may take the parts one by one.
    for (const auto* parts : {&desc.x, &desc.y_parts}) {
      for (const TensorDesc& part : *parts) {
        partial_bytes_ = std::max(partial_bytes_, kernels.partial_bytes(m, part.shape.elements() / m));
      }
    }
  }

  int64_t saved_bytes() const override { return saves() ? kBatchArrays * array_bytes() : 0; }
  int64_t scratch_bytes() const override {
    if (phase_ == Phase::kEvaluate) return (has_backward_ ? 2 : 1) * array_bytes();
    return partial_bytes_ + exchange_bytes() + (kBatchArrays + kGradientArrays) * array_bytes();
  }
  void forward(const OpIo& io) override;
  void backward(const OpIo& io) override;

 private:
  void backward_of_evaluation(const OpIo& io) const;

  static constexpr int64_t kBatchArrays = 3, kGradientArrays = 3;  // each of c floats

  bool saves() const { return phase_ == Phase::kTrain && has_backward_; }
  int64_t array_bytes() const { return c_ * static_cast<int64_t>(sizeof(float)); }
  float* array(void* base, int64_t index) const { return static_cast<float*>(base) + index * c_; }
  int64_t exchange_bytes() const {
    if (exchange_ == nullptr) return 0;
    return PartColumns::elements(spec_.synchronised_parts, c_) * static_cast<int64_t>(sizeof(double));
  }
  // Scratch: [partial sums; sums of the parts; gradient arrays; batch arrays, unless they are saved].
  PartColumns parts(const OpIo& io) const {
    if (exchange_ == nullptr) return {};
    return {.exchange = exchange_,
            .parts = spec_.synchronised_parts,
            .scratch = reinterpret_cast<double*>(static_cast<uint8_t*>(io.scratch) + partial_bytes_)};
  }
  float* scratch_array(const OpIo& io, int64_t index) const {
    return array(static_cast<uint8_t*>(io.scratch) + partial_bytes_ + exchange_bytes(), index);
  }
  BatchColumns batch(const OpIo& io) const {
    float* base = saves() ? static_cast<float*>(io.saved) : scratch_array(io, kGradientArrays);
    return {.mean = io.state[0].as<float>(),
            .mean_low = array(base, 0),
            .var = io.state[1].as<float>(),
            .scale = array(base, 1),
            .shift = array(base, 2)};
  }
  AffineColumns affine(const OpIo& io) const { return {io.w[0].as<float>(), io.w[1].as<float>(), spec_.eps}; }

  BatchNorm spec_;
  Phase phase_;
  bool has_backward_;
  int64_t c_;
  PartExchange* exchange_;
  int64_t partial_bytes_;
};

void BatchNormOp::forward(const OpIo& io) {
  const PartedMatrix x = parted_matrix_of(io.x, spec_.scope);              // [m, c]
  const PartedMatrix y = parted_matrix_of(io.y, io.y_parts, spec_.scope);  // [m, c]
  if (phase_ == Phase::kEvaluate) {
    auto* scale = static_cast<float*>(io.scratch);
    kernels().population_scale(scale, io.state[1].as<float>(), affine(io), c_);
    kernels().normalize(y, x, {.mean = io.state[0].as<float>(), .scale = scale, .shift = io.w[1].as<float>()},
                        spec_.activation);
    return;
  }
  const BatchColumns columns = batch(io);
  kernels().batch_statistics(columns, io.scratch, x, affine(io), parts(io));
  kernels().normalize(y, x, columns.normalization(), spec_.activation);
}

void BatchNormOp::backward(const OpIo& io) {
  const PartedMatrix x = parted_matrix_of(io.x, spec_.scope);                 // [m, c]
  const PartedMatrix y = parted_matrix_of(io.y, io.y_parts, spec_.scope);     // [m, c]
  const PartedMatrix dy = parted_matrix_of(io.dy, io.dy_parts, spec_.scope);  // [m, c]
  if (phase_ == Phase::kEvaluate) return backward_of_evaluation(io);
  const BatchColumns columns = batch(io);
  const GradientColumns gradient{.dgamma = io.dw[0].as<float>(),
                                 .dbeta = io.dw[1].as<float>(),
                                 .dz_factor = scratch_array(io, 0),
                                 .x_factor = scratch_array(io, 1),
                                 .constant = scratch_array(io, 2)};
  kernels().gradient_sums(gradient, io.scratch, dy, x, y, columns, affine(io), spec_.activation, parts(io));
  if (!io.dx[0]) return;
  kernels().input_gradient(parted_matrix_of(io.dx, spec_.scope), dy, x, y, columns, gradient, spec_.activation);
}

void BatchNormOp::backward_of_evaluation(const OpIo& io) const {
  if (!io.dx[0]) return;
  const Matrix x = matrix_of(io.x[0], spec_.scope), y = matrix_of(io.y, spec_.scope);  // [m, c]
  float *scale = array(io.scratch, 0), *zeros = array(io.scratch, 1);
  kernels().population_scale(scale, io.state[1].as<float>(), affine(io), c_);
  kernels().zero(zeros, c_);
  const BatchColumns columns{.mean = io.state[0].as<float>(),
                             .mean_low = nullptr,
                             .var = io.state[1].as<float>(),
                             .scale = scale,
                             .shift = io.w[1].as<float>()};
  const GradientColumns gradient{
      .dgamma = nullptr, .dbeta = nullptr, .dz_factor = scale, .x_factor = zeros, .constant = zeros};
  kernels().input_gradient(matrix_of(io.dx[0], spec_.scope), matrix_of(io.dy, spec_.scope), x, y, columns, gradient,
                           spec_.activation);
}

// Where x, y and their gradients lie in several tensors: at most so many, and for the simplest case alone.
void refuse_parts(const BatchNorm& spec, const OpDesc& desc) {
  const size_t parts = std::max(desc.x.size(), desc.y_parts.size());
  if (parts <= 1) return;
  const bool all_or_none = std::all_of(desc.wants_dx.begin(), desc.wants_dx.end(),
                                       [&](bool wanted) { return wanted == desc.wants_dx.front(); });
  if (spec.scope == BatchNormScope::kSpatial && spec.synchronised_parts == 1 && all_or_none &&
      parts <= size_t{kMaxColumnParts}) {
    return;
  }
  throw UnsupportedError(fmt::format(
      "A batch norm's channels can lie in up to {} tensors, and only if it is spatial and not synchronised.",
      kMaxColumnParts));
}

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const BatchNorm& spec, const OpDesc& desc) {
  require_activations(desc);
  const Shape& x = desc.x.at(0).shape;
  if (spec.scope == BatchNormScope::kPerActivation) refuse_row_strides(desc);
  const int64_t m = values_per_feature(spec, x);
  refuse_parts(spec, desc);
  const bool is_synchronised = spec.synchronised_parts > 1 && desc.exchange != nullptr;
  if (desc.phase == Phase::kTrain && m * (is_synchronised ? spec.synchronised_parts : 1) < 2) {
    throw ShapeError(fmt::format("Batch normalisation needs at least two values per feature, and {} gives m = {}.",
                                 to_string(x), m));
  }
  int64_t c = 0;
  for (const TensorDesc& part : desc.x) c += part.shape.elements() / m;
  return std::make_unique<BatchNormOp>(kernels, spec, desc, m, c);
}

}  // namespace bn::ops
