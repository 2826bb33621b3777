// Networks in the names and layouts of the public BN-Inception for PyTorch (Cadene's pretrained-models.pytorch), in
// safetensors files. There a convolution has a bias, weights are [out, in, h, w], and the first convolution reads BGR.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bn/parameters.hpp"

namespace bn {

using PytorchMetadata = std::vector<std::pair<std::string, std::string>>;

// Reads a file into the values (and average) and the population statistics. Each bias is subtracted from the mean of
// the batch norm behind it, which computes the same. Throws CheckpointError: no valid file, or the first tensor whose
// name or shape does not fit; the parameters are then untouched. UnsupportedError names the op of the network that has
// no name in PyTorch. Returns the metadata of the file.
PytorchMetadata read_pytorch(const std::string& path, Parameters& parameters);

// Writes the file that read_pytorch reads, with biases of zero. Throws UnsupportedError as above; StorageError.
void write_pytorch(const std::string& path, const Parameters& parameters, WeightsCopy copy,
                   const PytorchMetadata& metadata);

}  // namespace bn
