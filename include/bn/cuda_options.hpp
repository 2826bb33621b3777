// The keys below `cuda:`.
#pragma once

#include <cstdint>

namespace bn {

enum class Float32Math { kExact, kTensorFloat32 };       // how convolutions and linear ops multiply f32
enum class ConvolutionChoice { kHeuristic, kMeasured };  // of the library's algorithms for one shape
// How our own batch normalisation reads its input: twice from memory, or, where a group of columns fits on the chip,
// once.
enum class BatchNormReading { kStreamed, kOnChip };
struct CudaOptions {
  int64_t device = 0;
  Float32Math float32_math = Float32Math::kExact;
  ConvolutionChoice convolution_choice = ConvolutionChoice::kHeuristic;
  BatchNormReading batch_norm_reading = BatchNormReading::kStreamed;
};

}  // namespace bn
