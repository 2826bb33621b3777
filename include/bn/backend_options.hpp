// The keys below `cpu:` and `cuda:`, and the number of threads.
#pragma once

#include <cstdint>
#include <string>

namespace bn {

// The type in which convolutions and linear layers multiply activations that are stored in bf16.
enum class Bfloat16Math { kAutomatic, kBf16, kF32 };

struct CpuOptions {
  int threads = 0;       // 0: OMP_NUM_THREADS, else the cores that the process may use
  std::string reason{};  // why so many, as name() tells it; found when threads = 0
  bool winograd = true;  // 3x3 convolutions of stride 1, multiplied in f32, by F(4x4, 3x3) where it is quicker
  bool amx = true;       // other convolutions of stride 1 by our kernels on AMX where they are quicker
  Bfloat16Math bfloat16_math = Bfloat16Math::kAutomatic;
};

enum class Float32Math { kExact, kTensorFloat32 };       // how convolutions and linear ops multiply f32
enum class ConvolutionChoice { kHeuristic, kMeasured };  // how a library's algorithm for one shape is chosen
struct CudaOptions {
  int64_t device = 0;
  Float32Math float32_math = Float32Math::kExact;
  ConvolutionChoice convolution_choice = ConvolutionChoice::kHeuristic;
};

}  // namespace bn
