#include "cuda/error.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"
#include "cuda/context.hpp"
#include "cuda/launch.hpp"

namespace bn::cuda {

namespace {

// True for errors that a kernel leaves behind for the next call.
bool is_fault(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
      return true;
    default:
      return false;
  }
}

}  // namespace

void throw_cuda_error(cudaError_t status, const char* call) {
  const char* hint =
      is_fault(status) ? " A kernel failed earlier; with BN_SYNC=1 in the environment the message names its op." : "";
  throw Error(ExitCode::kFailure, fmt::format("CUDA failed: {} ({}) in {}.{}", cudaGetErrorString(status),
                                              cudaGetErrorName(status), call, hint));
}

void after_launch(const Context& context, const char* kernel) {
  if (context.check == LaunchCheck::kAsynchronous) return;
  const cudaError_t status = cudaStreamSynchronize(context.compute);
  if (status == cudaSuccess) return;
  throw Error(ExitCode::kFailure, fmt::format("The kernel {} failed: {} ({}).", kernel, cudaGetErrorString(status),
                                              cudaGetErrorName(status)));
}

}  // namespace bn::cuda
