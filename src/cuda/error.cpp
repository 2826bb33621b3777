#include "cuda/error.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"
#include "cuda/context.hpp"
#include "cuda/launch.hpp"

namespace bn::cuda {

namespace {

// What to do about errors that the call itself is not to blame for.
const char* hint(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorIllegalInstruction:
    case cudaErrorHardwareStackError:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
#if CUDART_VERSION >= 12080
    case cudaErrorTensorMemoryLeak:
#endif
      return " A kernel failed earlier; with BN_SYNC=1 in the environment the message names its op.";
    case cudaErrorECCUncorrectable:
#if CUDART_VERSION >= 12080
    case cudaErrorContained:
#endif
    case cudaErrorNvlinkUncorrectable:
      return " The GPU's memory or link is at fault, not this program: nvidia-smi -q shows its errors. A run goes on "
             "from "
             "its last checkpoint with --resume.";
    default:
      return "";
  }
}

}  // namespace

void throw_cuda_error(cudaError_t status, const char* call) {
  throw Error(ExitCode::kFailure, fmt::format("CUDA failed: {} ({}) in {}.{}", cudaGetErrorString(status),
                                              cudaGetErrorName(status), call, hint(status)));
}

void after_launch(const Context& context, const char* kernel) {
  if (context.check == LaunchCheck::kAsynchronous) return;
  const cudaError_t status = cudaStreamSynchronize(context.compute);
  if (status == cudaSuccess) return;
  throw Error(ExitCode::kFailure, fmt::format("The kernel {} failed: {} ({}).", kernel, cudaGetErrorString(status),
                                              cudaGetErrorName(status)));
}

}  // namespace bn::cuda
