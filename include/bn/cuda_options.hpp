// The keys below `cuda:`.
#pragma once

#include <cstdint>

namespace bn {

enum class Float32Math { kExact, kTensorFloat32 };       // how convolutions and linear ops multiply f32
enum class ConvolutionChoice { kHeuristic, kMeasured };  // how a library's algorithm for one shape is chosen
struct CudaOptions {
  int64_t device = 0;
  Float32Math float32_math = Float32Math::kExact;
  ConvolutionChoice convolution_choice = ConvolutionChoice::kHeuristic;
};

}  // namespace bn
