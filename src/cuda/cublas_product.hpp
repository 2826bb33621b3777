// One matrix product prepared through cuBLASLt, its algorithm chosen once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bn/tensor.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

enum class Transposed { kNo, kYes };

// A row-major [rows, columns] matrix as it lies in memory, and whether the product takes it transposed.
struct Factor {
  int64_t rows = 1, columns = 1;
  Transposed transposed = Transposed::kNo;
};

// result = a * b, row-major [m, n] in result_dtype; a and b in dtype; sums in f32.
struct ProductProblem {
  Factor a{}, b{};
  DType dtype = DType::kF32, result_dtype = DType::kF32;
};

class Product {
 public:
  Product();  // empty
  // Throws UnsupportedError when the library has no algorithm.
  Product(const Context& context, const ProductProblem& problem);
  ~Product();
  Product(Product&&) noexcept;
  Product& operator=(Product&&) noexcept;

  bool empty() const { return plan_ == nullptr; }
  int64_t workspace_bytes() const;
  std::string algorithm() const;

  void run(void* result, const void* a, const void* b, void* workspace) const;

 private:
  struct Plan;
  std::unique_ptr<Plan> plan_;
};

}  // namespace bn::cuda
