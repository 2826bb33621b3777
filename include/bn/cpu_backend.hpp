// The backend on the CPU: oneDNN and our own kernels.
#pragma once

#include <memory>
#include <string>

#include "bn/backend.hpp"
#include "bn/backend_options.hpp"

namespace bn {

std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);
std::string cpu_library();  // the one that is loaded: "oneDNN 3.7.2"

}  // namespace bn
