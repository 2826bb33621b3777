// The backend on the CPU: oneDNN and our own kernels.
#pragma once

#include <memory>
#include <string>

#include "bn/backend.hpp"

namespace bn {

struct CpuOptions {
  int threads = 0;       // 0: OMP_NUM_THREADS, else the cores that the process may use
  std::string reason{};  // why there are so many threads, as name() tells it; found where threads is 0
};
std::unique_ptr<Backend> make_cpu_backend(const CpuOptions& options);
std::string cpu_library();  // the library that is loaded: "oneDNN 3.7.2"

}  // namespace bn
