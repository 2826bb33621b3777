// Checked calls of cuDNN and cuBLASLt.
#pragma once

#include <cublasLt.h>
#include <cudnn.h>

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>

namespace bn::cuda {

[[noreturn]] void throw_cudnn_error(cudnnStatus_t status, const char* call);
[[noreturn]] void throw_cublas_error(cublasStatus_t status, const char* call);

// A library's object that its owner destroys.
struct Destroy {
  void operator()(cudnnTensorDescriptor_t tensor) const { cudnnDestroyTensorDescriptor(tensor); }
  void operator()(cublasLtMatmulDesc_t operation) const { cublasLtMatmulDescDestroy(operation); }
  void operator()(cublasLtMatrixLayout_t layout) const { cublasLtMatrixLayoutDestroy(layout); }
  void operator()(cublasLtMatmulPreference_t preference) const { cublasLtMatmulPreferenceDestroy(preference); }
};
template <class Handle>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy>;

std::string loaded_cudnn_version();  // "9.19.0"

// `version` is the number that cudnnGetVersion() returns. Throws UnsupportedError unless it has the major version this
// was built for.
void require_cudnn_version(size_t version);

}  // namespace bn::cuda

#define BN_CUDNN(call)                                                                      \
  do {                                                                                      \
    const cudnnStatus_t bn_status = (call);                                                 \
    if (bn_status != CUDNN_STATUS_SUCCESS) ::bn::cuda::throw_cudnn_error(bn_status, #call); \
  } while (false)

#define BN_CUBLAS(call)                                                                       \
  do {                                                                                        \
    const cublasStatus_t bn_status = (call);                                                  \
    if (bn_status != CUBLAS_STATUS_SUCCESS) ::bn::cuda::throw_cublas_error(bn_status, #call); \
  } while (false)
