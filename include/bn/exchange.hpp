// Networks and logs in other programs' formats.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bn/backend.hpp"
#include "bn/parameters.hpp"
#include "bn/run_log.hpp"

namespace bn {

// --- A trained network as an ONNX model, which ONNX Runtime, OpenCV, TensorRT and others run.

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

// --- Networks in the names and layouts of the public BN-Inception for PyTorch (Cadene's pretrained-models.pytorch), in
// safetensors files. There a convolution has a bias, weights are [out, in, h, w], and the first convolution reads BGR.

using PytorchMetadata = std::vector<std::pair<std::string, std::string>>;

// Reads a file into the values (and average) and the population statistics. Each bias is subtracted from the mean of
// the batch norm behind it, which computes the same. Throws CheckpointError: no valid file, or the first tensor whose
// name or shape does not fit; the parameters are then untouched. UnsupportedError names the op of the network that has
// no name in PyTorch. Returns the metadata of the file.
PytorchMetadata read_pytorch(const std::string& path, Parameters& parameters);

// Writes the file that read_pytorch reads, with biases of zero. Throws UnsupportedError as above; StorageError.
void write_pytorch(const std::string& path, const Parameters& parameters, WeightsCopy copy,
                   const PytorchMetadata& metadata);

// --- A run's log as events that TensorBoard shows.

struct TensorBoardPicture {
  std::string tag{};
  int64_t step = 0;
  std::string png{};  // the file's bytes
};

// TensorBoard shows this of a run besides its log.
struct TensorBoardRun {
  double start = 0;                                                    // seconds from 1970 to the log's second 0
  std::vector<std::pair<std::string, std::string>> hyperparameters{};  // numbers, "true" and "false" are shown as such
  std::vector<TensorBoardPicture> pictures{};
};

// FOLDER/events.out.tfevents.bninception, a file that TensorBoard reads while it grows.
class TensorBoardFile {
 public:
  TensorBoardFile(const std::string& folder, const TensorBoardRun& run);
  // Adds what was logged since the last call. The first call makes the folder and replaces the file, in one step. When
  // records are gone (the run was resumed from an earlier step), TensorBoard is told to forget them. Throws
  // StorageError.
  void update(const std::vector<LogRecord>& log);
  int64_t events() const { return events_; }

 private:
  void add(const std::string& event);
  void write_pending();

  std::string path_;
  double start_;
  std::string pending_;  // not yet in the file
  bool is_begun_ = false;
  int64_t events_ = 0;
  std::vector<LogRecord> log_;
};

}  // namespace bn
