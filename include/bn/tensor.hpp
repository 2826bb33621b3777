// Tensors: a borrowed pointer with a type and an NHWC shape. Tensors own nothing; backends own memory.
#pragma once

#include <bit>
#include <cstdint>
#include <string>

namespace bn {

enum class DType : uint8_t { kF32, kBf16, kU8, kI32 };

int64_t size_of(DType dtype);
const char* name_of(DType dtype);  // "f32", "bf16", ...

// The upper half of a float; every conversion to it rounds to nearest, ties to even, and keeps NaN a NaN.
struct Bfloat16 {
  uint16_t bits = 0;

  static Bfloat16 from_float(float value) {
    const auto word = std::bit_cast<uint32_t>(value);
    if ((word & 0x7fffffffU) > 0x7f800000U) return {static_cast<uint16_t>((word >> 16) | 0x40U)};
    return {static_cast<uint16_t>((word + 0x7fffU + ((word >> 16) & 1U)) >> 16)};
  }
  float to_float() const { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }
};

// Four dimensions always. Activations are NHWC; convolution weights OHWI (n = output channels); a vector of
// k values is {1, 1, 1, k}; the input and output of a linear layer are {n, 1, 1, c}.
struct Shape {
  int64_t n = 1, h = 1, w = 1, c = 1;

  int64_t rows() const { return n * h * w; }  // the paper's m' = m*p*q, for a feature map's statistics
  int64_t elements() const { return rows() * c; }
  bool operator==(const Shape&) const = default;
};
std::string to_string(const Shape& shape);  // "32x28x28x192"

inline Shape vector_shape(int64_t count) { return {1, 1, 1, count}; }

// A [rows, c] matrix whose rows (pixels) lie row_stride elements apart; row_stride > shape.c for a slice of a
// concatenation. data == nullptr means "absent" (an unwanted gradient).
struct Tensor {
  void* data = nullptr;
  DType dtype = DType::kF32;
  Shape shape{};
  int64_t row_stride = 0;  // elements

  explicit operator bool() const { return data != nullptr; }
  bool is_dense() const { return row_stride == shape.c; }
  int64_t bytes() const { return shape.elements() * size_of(dtype); }  // a dense tensor's
  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
};

inline Tensor dense(void* data, DType dtype, const Shape& shape) {
  return {.data = data, .dtype = dtype, .shape = shape, .row_stride = shape.c};
}

}  // namespace bn
