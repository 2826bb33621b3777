// The one way to start a kernel. tests/simt has a file of the same name that runs the kernel on a CPU.
#pragma once

#include <cuda_runtime.h>

#include <array>
#include <tuple>

#include "cuda/context.hpp"
#include "cuda/error.hpp"

namespace bn::cuda {

struct Grid {
  unsigned x = 1, y = 1;      // blocks
  unsigned threads = 256;     // a block's, in one dimension
  unsigned shared_bytes = 0;  // dynamic; a kernel that takes more than 48 KB has asked for it
};

void after_launch(const Context& context, const char* kernel);

// Arguments are converted to the kernel's parameter types.
template <class... Parameters, class... Arguments>
void launch(const Context& context, const char* name, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  if (is_only_listed(context, name)) return;
  std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  std::apply(
      [&](auto&... value) {
        std::array<void*, sizeof...(Parameters)> addresses{&value...};
        BN_CUDA(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), dim3(grid.x, grid.y), dim3(grid.threads),
                                 addresses.data(), grid.shared_bytes, context.compute));
      },
      values);
  after_launch(context, name);
}

}  // namespace bn::cuda
