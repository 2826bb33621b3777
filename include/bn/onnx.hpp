// A trained network as an ONNX model, which ONNX Runtime, OpenCV, TensorRT and others run.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bn/backend.hpp"
#include "bn/parameters.hpp"

namespace bn {

// The model takes one of these as its input "images":
//   kPixels      u8 [batch, h, w, c], as images are decoded; the model normalises them itself
//   kNormalized  f32 [batch, c, h, w], as Backend::load_images leaves them but for the order
enum class OnnxInput { kPixels, kNormalized };

struct OnnxOptions {
  OnnxInput input = OnnxInput::kPixels;
  ImageNormalization normalization{};  // used by kPixels
  int64_t binarize = -1;               // see DataOptions::binarize; used by kPixels
  WeightsCopy weights = WeightsCopy::kCurrent;
  std::vector<std::pair<std::string, std::string>> metadata{};  // the model's metadata_props
};

// Writes the network as evaluation runs it, with batch normalisation folded into the weights (paper: Algorithm 2, step
// 11), in f32. The output "logits" is f32 [batch, classes]. Operator set 13. Writes all or nothing. Throws
// UnsupportedError naming the op that has no counterpart in ONNX; StorageError.
void export_onnx(const std::string& path, const Parameters& parameters, const OnnxOptions& options);

}  // namespace bn
