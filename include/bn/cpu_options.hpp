// The keys below `cpu:`, and the number of threads.
#pragma once

#include <string>

namespace bn {

struct CpuOptions {
  int threads = 0;       // 0: OMP_NUM_THREADS, else the cores that the process may use
  std::string reason{};  // for their number, as name() says it; with threads = 0 it is found
  bool winograd = true;  // 3x3 convolutions of stride 1 in f32 take Winograd's F(4x4, 3x3) where it is quicker
};

}  // namespace bn
