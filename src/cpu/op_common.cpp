#include "cpu/op_common.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"

namespace bn::cpu {

void require_activations(const OpDesc& desc) {
  const DType dtype = desc.y.dtype;
  bool same = dtype == DType::kF32 || dtype == DType::kBf16;
  for (const TensorDesc& x : desc.x) same = same && x.dtype == dtype;
  if (!same) {
    throw UnsupportedError(fmt::format("The output is {} and the first input {}; both must be f32 or both bf16.",
                                       name_of(dtype), name_of(desc.x.at(0).dtype)));
  }
}

void refuse_row_strides(const OpDesc& desc) {
  bool dense = desc.y.row_stride == desc.y.shape.c;
  for (const TensorDesc& x : desc.x) dense = dense && x.row_stride == x.shape.c;
  if (!dense) throw UnsupportedError("This op needs dense tensors, not a slice of wider rows.");
}

}  // namespace bn::cpu
