#include "ops/own_kernels.hpp"

namespace bn::ops {

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

}  // namespace bn::ops
