#include <cublasLt.h>
#include <fmt/format.h>

#include <cstring>

#include "simt/library_doubles.hpp"

// NOLINTBEGIN(readability-identifier-naming): the library's names
struct cublasLtContext {
  int device;
};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute;
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
};
struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType_t type;
  int64_t rows, columns, leading;
};
struct cublasLtMatmulPreferenceOpaque_t {
  size_t most_workspace = 0;
  uint32_t reductions = ~0U;
  uint32_t alignments[4] = {256, 256, 256, 256};
};
// NOLINTEND(readability-identifier-naming)

namespace bn::simt {
namespace {

constexpr const char *kHandle = "cuBLASLt handle", *kOperation = "cuBLASLt operation", *kLayout = "cuBLASLt layout",
                     *kPreference = "cuBLASLt preference";
constexpr int kAlgorithm = 7;

[[noreturn]] void fail(const std::string& why) { throw Fault(fmt::format("cuBLASLt: {}.", why)); }

DType dtype_of(const cublasLtMatrixLayoutOpaque_t& layout) {
  return layout.type == CUDA_R_16BF ? DType::kBf16 : DType::kF32;
}

template <class T>
T read_attribute(const void* value, size_t bytes) {
  if (bytes != sizeof(T)) fail(fmt::format("an attribute has {} bytes, not {}", sizeof(T), bytes));
  T read;
  std::memcpy(&read, value, sizeof(T));
  return read;
}

// Column-major: d = a b, all as the descriptors have it.
struct MatrixProduct {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t a, b, d;

  int64_t rows() const { return operation.a == CUBLAS_OP_T ? a.columns : a.rows; }
  int64_t inner() const { return operation.a == CUBLAS_OP_T ? a.rows : a.columns; }
  int64_t columns() const { return operation.b == CUBLAS_OP_T ? b.rows : b.columns; }
  // An arbitrary size, another one for each problem.
  size_t workspace_bytes() const {
    return static_cast<size_t>(256 + 16 * ((rows() + 3 * columns() + 5 * inner()) % 1000));
  }

  // By which cublasLtMatmul knows what an algorithm was chosen for.
  cublasLtMatmulAlgo_t algorithm() const {
    const auto bits = [](auto... values) {
      uint64_t all = 0;
      ((all = all << 8 | static_cast<uint64_t>(values)), ...);
      return all;
    };
    return {{kAlgorithm, workspace_bytes(), static_cast<uint64_t>(rows()), static_cast<uint64_t>(inner()),
             static_cast<uint64_t>(columns()), bits(a.type, b.type, d.type), bits(operation.a, operation.b),
             bits(operation.compute)}};
  }

  void compute(void* to, const void* from_a, const void* from_b) const {
    Values left = widen(from_a, dtype_of(a), a.leading * a.columns);
    Values right = widen(from_b, dtype_of(b), b.leading * b.columns);
    if (operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32) {
      round_to_tensor_float(left);
      round_to_tensor_float(right);
    }
    const auto at = [](const Values& values, const cublasLtMatrixLayoutOpaque_t& layout, int64_t row, int64_t column) {
      return values[static_cast<size_t>(row + column * layout.leading)];
    };
    Values sums;
    for (int64_t column = 0; column < columns(); ++column) {
      for (int64_t row = 0; row < rows(); ++row) {
        double sum = 0;
        for (int64_t k = 0; k < inner(); ++k) {
          sum += (operation.a == CUBLAS_OP_T ? at(left, a, k, row) : at(left, a, row, k)) *
                 (operation.b == CUBLAS_OP_T ? at(right, b, column, k) : at(right, b, k, column));
        }
        sums.push_back(sum);
      }
    }
    narrow(to, dtype_of(d), sums);
  }
};

MatrixProduct product_of(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                         cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d) {
  require_object(operation, kOperation);
  for (cublasLtMatrixLayout_t layout : {a, b, c, d}) {
    require_object(layout, kLayout);
    if (layout->leading != layout->rows) fail("the double plays dense matrices");
  }
  const MatrixProduct product{*operation, *a, *b, *d};
  const int64_t inner_of_b = operation->b == CUBLAS_OP_T ? b->columns : b->rows;
  if (product.inner() != inner_of_b || product.rows() != d->rows || product.columns() != d->columns || c != d) {
    fail("the shapes of a product do not agree");
  }
  if (a->type != b->type) fail("the factors of a product have two types");
  return product;
}

int64_t bytes_of(const cublasLtMatrixLayoutOpaque_t& layout) {
  return layout.leading * layout.columns * size_of(dtype_of(layout));
}

}  // namespace
}  // namespace bn::simt

// NOLINTBEGIN(readability-identifier-naming): the library's names
using namespace bn::simt;

size_t cublasLtGetVersion() { return 130'100; }

const char* cublasLtGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "CUBLAS_STATUS_INVALID_VALUE";
  }
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = make_object(cublasLtContext{current_device()}, kHandle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return destroy_object(handle, kHandle), CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *operation = make_object(cublasLtMatmulDescOpaque_t{compute}, kOperation);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  destroy_object(operation, kOperation);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  require_object(operation, kOperation);
  (attribute == CUBLASLT_MATMUL_DESC_TRANSA ? operation->a : operation->b) =
      read_attribute<cublasOperation_t>(value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  *layout = make_object(
      cublasLtMatrixLayoutOpaque_t{type, static_cast<int64_t>(rows), static_cast<int64_t>(columns), leading}, kLayout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  destroy_object(layout, kLayout);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = make_object(cublasLtMatmulPreferenceOpaque_t{}, kPreference);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  destroy_object(preference, kPreference);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  require_object(preference, kPreference);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      preference->most_workspace = read_attribute<size_t>(value, bytes);
      break;
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      preference->reductions = read_attribute<uint32_t>(value, bytes);
      break;
    default:
      preference->alignments[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES] =
          read_attribute<uint32_t>(value, bytes);
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int wanted,
                                              cublasLtMatmulHeuristicResult_t* results, int* found) {
  refuse_while_recording("cuBLASLt: an algorithm is chosen");
  require_object(handle, kHandle);
  require_object(preference, kPreference);
  const MatrixProduct product = product_of(operation, a, b, c, d);
  if ((preference->reductions & ~unsigned{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}) != 0) {
    fail("an algorithm may round partial sums");
  }
  for (const uint32_t alignment : preference->alignments) {
    if (alignment > kAlignment) fail("an algorithm may count on operands that lie better than ours do");
  }
  *found = 0;
  if (wanted < 1 || !libraries().cublas_has_algorithms || product.workspace_bytes() > preference->most_workspace) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  results[0] = {product.algorithm(), product.workspace_bytes(), CUBLAS_STATUS_SUCCESS};
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoConfigGetAttribute(const cublasLtMatmulAlgo_t* algorithm,
                                                    cublasLtMatmulAlgoConfigAttributes_t, void* value, size_t bytes,
                                                    size_t* written) {
  const int id = static_cast<int>(algorithm->data[0]);
  if (bytes != sizeof(id)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(value, &id, sizeof(id));
  *written = sizeof(id);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  require_object(handle, kHandle);
  if (handle->device != current_device()) fail("a product's handle is of another device");
  const MatrixProduct product = product_of(operation, a_layout, b_layout, c_layout, d_layout);
  const cublasLtMatmulAlgo_t expected = product.algorithm();
  if (std::memcmp(algorithm, &expected, sizeof(expected)) != 0) fail("an algorithm was chosen for another product");
  if (workspace_bytes < product.workspace_bytes()) fail("a product's workspace is too small");
  if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0 || c != d) {
    fail("the double plays products that are not added to anything");
  }
  const auto space = static_cast<int64_t>(workspace_bytes);
  enqueue_call({.name = "cuBLASLt: product",
                .stream = stream,
                .operands = {{"a", a, bytes_of(*a_layout)},
                             {"b", b, bytes_of(*b_layout)},
                             {"d", d, bytes_of(*d_layout), Use::kWritten},
                             {"the workspace", workspace, space, Use::kWritten}}},
               [=] {
                 spoil(workspace, space);
                 product.compute(d, a, b);
               });
  return CUBLAS_STATUS_SUCCESS;
}
// NOLINTEND(readability-identifier-naming)
