// One matrix product prepared through cuBLASLt, its algorithm chosen once.
#pragma once

#include <cublasLt.h>

#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>

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
  Product() = default;  // empty
  // Throws UnsupportedError when the library has no algorithm.
  Product(const Context& context, const ProductProblem& problem);

  bool empty() const { return operation_ == nullptr; }
  int64_t workspace_bytes() const { return static_cast<int64_t>(chosen_.workspaceSize); }
  std::string algorithm() const;

  void run(void* result, const void* a, const void* b, void* workspace) const;

 private:
  struct Destroy {
    void operator()(cublasLtMatmulDesc_t operation) const { cublasLtMatmulDescDestroy(operation); }
    void operator()(cublasLtMatrixLayout_t layout) const { cublasLtMatrixLayoutDestroy(layout); }
  };
  using Layout = std::unique_ptr<std::remove_pointer_t<cublasLtMatrixLayout_t>, Destroy>;
  using Operation = std::unique_ptr<std::remove_pointer_t<cublasLtMatmulDesc_t>, Destroy>;

  static Layout layout_of(int64_t rows, int64_t columns, DType dtype);
  void choose(const ProductProblem& problem);

  const Context* context_ = nullptr;
  Operation operation_;
  Layout a_, b_, result_;
  cublasLtMatmulHeuristicResult_t chosen_{};
};

}  // namespace bn::cuda
