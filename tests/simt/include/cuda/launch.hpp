// Stands in for src/cuda/launch.hpp: the kernel runs on this machine's processor, or is recorded to run later.
#pragma once

#include <cuda_runtime.h>

#include <tuple>

#include "cuda/context.hpp"
#include "cuda/error.hpp"
#include "simt/simulator/device.hpp"

namespace bn::cuda {

struct Grid {
  unsigned x = 1, y = 1;
  unsigned threads = 256;
  unsigned shared_bytes = 0;
};

void after_launch(const Context& context, const char* kernel);

template <class... Parameters, class... Arguments>
void launch(const Context& context, const char* name, void (*kernel)(Parameters...), const Grid& grid,
            const Arguments&... arguments) {
  const std::tuple<Parameters...> values(static_cast<Parameters>(arguments)...);
  simt::submit(context.compute, name,
               {.x = grid.x, .y = grid.y, .threads = grid.threads, .shared_bytes = grid.shared_bytes},
               [kernel, values] { std::apply(kernel, values); });
  after_launch(context, name);
}

}  // namespace bn::cuda
