#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "support/op_case.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace bn::test {
namespace {

// These two bytes, repeated, are a NaN in bf16 and in f32.
constexpr uint8_t kGarbage[2] = {0xc5, 0x7f};
constexpr int64_t kGuardBytes = 64;

void fill_pattern(std::vector<uint8_t>& bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = kGarbage[i % 2];
}

#ifdef __SANITIZE_ADDRESS__
bool is_host_memory(void* pointer) {
  char name[1];
  void* region = nullptr;
  size_t bytes = 0;
  return std::strcmp(__asan_locate_address(pointer, name, sizeof(name), &region, &bytes), "heap") == 0;
}
#endif

void store(uint8_t* to, double value, DType dtype) {
  const auto single = static_cast<float>(value);
  switch (dtype) {
    case DType::kF32:
      std::memcpy(to, &single, 4);
      break;
    case DType::kBf16: {
      const Bfloat16 half = Bfloat16::from_float(single);
      std::memcpy(to, &half, 2);
      break;
    }
    case DType::kU8:
      *to = static_cast<uint8_t>(value);
      break;
    case DType::kI32: {
      const auto integer = static_cast<int32_t>(value);
      std::memcpy(to, &integer, 4);
      break;
    }
  }
}

double load(const uint8_t* from, DType dtype) {
  switch (dtype) {
    case DType::kF32: {
      float value = 0;
      std::memcpy(&value, from, 4);
      return value;
    }
    case DType::kBf16: {
      Bfloat16 value;
      std::memcpy(&value, from, 2);
      return value.to_float();
    }
    case DType::kU8:
      return *from;
    case DType::kI32: {
      int32_t value = 0;
      std::memcpy(&value, from, 4);
      return value;
    }
  }
  return NAN;
}

}  // namespace

void round_to_storage(Values& values, DType dtype) {
  for (double& value : values) {
    uint8_t bytes[8];
    store(bytes, value, dtype);
    value = load(bytes, dtype);
  }
}

GuardedTensor::GuardedTensor(Backend& backend, DType dtype, const Shape& shape, int64_t gap)
    : backend_(&backend), dtype_(dtype), shape_(shape), gap_(gap) {
  buffer_ = backend.allocate(2 * kGuardBytes + shape.rows() * (shape.c + gap) * size_of(dtype));
  fill_garbage();
}

GuardedTensor::~GuardedTensor() { allow_guards(); }

std::vector<uint8_t> GuardedTensor::bytes() const {
  std::vector<uint8_t> bytes(buffer_->bytes());
  allow_guards();
  backend_->download(bytes.data(), buffer_->data(), buffer_->bytes());
  forbid_guards();
  return bytes;
}

void GuardedTensor::set_bytes(const std::vector<uint8_t>& bytes) {
  allow_guards();
  backend_->upload(buffer_->data(), bytes.data(), buffer_->bytes());
  backend_->synchronize();
  forbid_guards();
}

// Forbids the guards to the sanitizer; a device's memory is not its business. It cannot forbid the first of the eight
// bytes in which elements begin, so writes there are left to the guard words.
void GuardedTensor::forbid_guards() const {
#ifdef __SANITIZE_ADDRESS__
  if (!is_host_memory(buffer_->data())) return;
  const auto* bytes = static_cast<const uint8_t*>(buffer_->data());
  int64_t end = 0;  // the elements so far end here
  for (int64_t row = 0; row < shape_.rows(); ++row) {
    __asan_poison_memory_region(bytes + end, element_offset(row) - end);
    end = element_offset(row) + shape_.c * size_of(dtype_);
  }
  __asan_poison_memory_region(bytes + end, buffer_->bytes() - end);
#endif
}

void GuardedTensor::allow_guards() const {
#ifdef __SANITIZE_ADDRESS__
  if (buffer_ && is_host_memory(buffer_->data())) __asan_unpoison_memory_region(buffer_->data(), buffer_->bytes());
#endif
}

int64_t GuardedTensor::element_offset(int64_t row) const {
  return kGuardBytes + (row * (shape_.c + gap_) + gap_ / 2) * size_of(dtype_);
}

Tensor GuardedTensor::tensor() const {
  return {.data = static_cast<uint8_t*>(buffer_->data()) + element_offset(0),
          .dtype = dtype_,
          .shape = shape_,
          .row_stride = shape_.c + gap_};
}

void GuardedTensor::fill_garbage() {
  std::vector<uint8_t> bytes(buffer_->bytes());
  fill_pattern(bytes);
  set_bytes(bytes);
}

void GuardedTensor::write(const Values& values) {
  ASSERT_EQ(static_cast<int64_t>(values.size()), shape_.elements());
  std::vector<uint8_t> bytes(buffer_->bytes());
  fill_pattern(bytes);
  for (int64_t row = 0, i = 0; row < shape_.rows(); ++row) {
    for (int64_t column = 0; column < shape_.c; ++column, ++i) {
      store(bytes.data() + element_offset(row) + column * size_of(dtype_), values[i], dtype_);
    }
  }
  set_bytes(bytes);
}

Values GuardedTensor::read() const {
  const std::vector<uint8_t> bytes = this->bytes();
  Values values(shape_.elements());
  for (int64_t row = 0, i = 0; row < shape_.rows(); ++row) {
    for (int64_t column = 0; column < shape_.c; ++column, ++i) {
      values[i] = load(bytes.data() + element_offset(row) + column * size_of(dtype_), dtype_);
    }
  }
  return values;
}

void GuardedTensor::expect_guards_intact(std::string_view name) const {
  std::vector<uint8_t> bytes = this->bytes();
  for (int64_t row = 0; row < shape_.rows(); ++row) {
    const int64_t begin = element_offset(row);
    for (int64_t i = begin; i < begin + shape_.c * size_of(dtype_); ++i) bytes[i] = kGarbage[i % 2];
  }
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] == kGarbage[i % 2]) continue;
    ADD_FAILURE() << name << ": wrote outside its elements, at byte " << static_cast<int64_t>(i) - kGuardBytes << " of "
                  << static_cast<int64_t>(bytes.size()) - 2 * kGuardBytes << ", where " << static_cast<int>(bytes[i])
                  << " stands";
    return;
  }
}

}  // namespace bn::test
