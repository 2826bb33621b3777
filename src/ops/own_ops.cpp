#include "ops/own_ops.hpp"

namespace bn::ops {
namespace {

class RecordedCalls final : public Recording {
 public:
  explicit RecordedCalls(std::function<void()> work) : work_(std::move(work)) {}
  void replay() override { work_(); }

 private:
  std::function<void()> work_;
};

}  // namespace

Matrix matrix_of(const Tensor& tensor, BatchNormScope scope) {
  if (!tensor) return {};
  const Shape& shape = tensor.shape;
  if (scope == BatchNormScope::kSpatial) {
    return {.data = tensor.data, .dtype = tensor.dtype, .m = shape.rows(), .c = shape.c, .stride = tensor.row_stride};
  }
  const int64_t c = shape.h * shape.w * shape.c;
  return {.data = tensor.data, .dtype = tensor.dtype, .m = shape.n, .c = c, .stride = c};
}

PartedMatrix parted_matrix_of(const std::vector<Tensor>& parts, BatchNormScope scope) {
  PartedMatrix parted;
  for (const Tensor& part : parts) parted.parts.at(static_cast<size_t>(parted.count++)) = matrix_of(part, scope);
  return parted;
}

PartedMatrix parted_matrix_of(const Tensor& whole, const std::vector<Tensor>& parts, BatchNormScope scope) {
  return parts.empty() ? PartedMatrix(matrix_of(whole, scope)) : parted_matrix_of(parts, scope);
}

bool supports_row_stride(const OpSpec& spec) {
  return std::visit(Overloaded{
                        [](const BatchNorm& s) {
                          // Per-activation statistics see whole images as rows: only dense ones are.
                          return s.implementation == BatchNormImplementation::kCustom &&
                                 s.scope == BatchNormScope::kSpatial;
                        },
                        [](const BiasActivation&) { return true; },
                        [](const Activate&) { return true; },
                        [](const Pool2d&) { return true; },
                        [](const auto&) { return false; },
                    },
                    spec);
}

bool supports_fused_activation(const BatchNorm& spec) {
  return spec.implementation == BatchNormImplementation::kCustom;
}

std::unique_ptr<Recording> record_calls(std::function<void()> work) {
  return std::make_unique<RecordedCalls>(std::move(work));
}

}  // namespace bn::ops
