// The backend on an NVIDIA GPU: cuDNN, cuBLASLt and our own kernels, in a module that is loaded when it is asked for.
#pragma once

#include <memory>
#include <string>

#include "bn/backend.hpp"
#include "bn/cuda_options.hpp"

namespace bn {

// Throws UnsupportedError where there is no usable GPU, driver or cuDNN, or where the build has no CUDA.
std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options);
// The library that the module was built for: "cuDNN 9.19.0"; "" where the build has no CUDA.
std::string cuda_library();

}  // namespace bn
