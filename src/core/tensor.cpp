#include "bn/tensor.hpp"

#include <fmt/format.h>

namespace bn {

int64_t size_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBf16:
      return 2;
    case DType::kU8:
      return 1;
  }
  return 0;
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kBf16:
      return "bf16";
    case DType::kU8:
      return "u8";
    case DType::kI32:
      return "i32";
  }
  return "?";
}

std::string to_string(const Shape& shape) { return fmt::format("{}x{}x{}x{}", shape.n, shape.h, shape.w, shape.c); }

}  // namespace bn
