#include "cuda/libraries.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"
#include "cuda/context.hpp"
#include "cuda/library_ops.hpp"

namespace bn::cuda {
namespace {

// 9.19.0 is 91900, and 8.9.7 was 8907.
std::string cudnn_version_text(size_t version) {
  const size_t major = version >= 10000 ? 10000 : 1000;
  return fmt::format("{}.{}.{}", version / major, version % major / 100, version % 100);
}

}  // namespace

void throw_cudnn_error(cudnnStatus_t status, const char* call) {
  throw Error(ExitCode::kFailure, fmt::format("cuDNN failed: {} in {}.", cudnnGetErrorString(status), call));
}

void throw_cublas_error(cublasStatus_t status, const char* call) {
  throw Error(ExitCode::kFailure, fmt::format("cuBLASLt failed: {} in {}.", cublasLtGetStatusString(status), call));
}

std::string loaded_cudnn_version() { return cudnn_version_text(cudnnGetVersion()); }

// 9.8 is the first that plans for a described GPU, and every check of these plans was made with later ones.
void require_cudnn_version(size_t version) {
  static_assert(CUDNN_MAJOR == 9);
  if (version >= 90'800 && version < 100'000) return;
  throw UnsupportedError(
      fmt::format("device: cuda needs cuDNN 9.8 or a later 9, but the loader found cuDNN {} (LD_LIBRARY_PATH decides "
                  "which it takes).",
                  cudnn_version_text(version)));
}

std::string library_versions() {
  const size_t blas = cublasLtGetVersion();  // 13.1.0 is 130100
  return fmt::format("cuDNN {}, cuBLASLt {}.{}.{}", loaded_cudnn_version(), blas / 10000, blas % 10000 / 100,
                     blas % 100);
}

void open_libraries(Context& context) {
  require_cudnn_version(cudnnGetVersion());
  const cudnnStatus_t status = cudnnCreate(&context.cudnn);
  if (status != CUDNN_STATUS_SUCCESS) {
    throw UnsupportedError(
        fmt::format("device: cuda was asked for, but cuDNN {} does not start on this machine ({}); all its libraries "
                    "must be of one version and the GPU one that it supports.",
                    loaded_cudnn_version(), cudnnGetErrorString(status)));
  }
  BN_CUDNN(cudnnSetStream(context.cudnn, context.compute));
  BN_CUBLAS(cublasLtCreate(&context.cublas_lt));
}

void close_libraries(Context& context) {
  if (context.cublas_lt != nullptr) cublasLtDestroy(context.cublas_lt);
  if (context.cudnn != nullptr) cudnnDestroy(context.cudnn);
  context.cublas_lt = nullptr;
  context.cudnn = nullptr;
}

}  // namespace bn::cuda
