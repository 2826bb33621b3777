// The layers of an Inception network by their names in PyTorch.
#pragma once

#include <string>
#include <vector>

#include "bn/net.hpp"

namespace bn::exchange {

enum class ChannelOrder { kAsHere, kReversed };

// A convolution with its batch norm, or the last linear layer. Numbers are indices into Net::parameters() and
// Net::state(); -1: it has none.
struct PytorchLayer {
  std::string name;            // "inception_3a_double_3x3_1"; its batch norm's is NAME_bn
  std::string op;              // "inception_3a/double3x3a/conv"
  Shape w;                     // [o, kh, kw, i]
  int weight = -1, bias = -1;  // bias: the linear layer's
  int gamma = -1, beta = -1, mean = -1, var = -1;
  ChannelOrder input = ChannelOrder::kAsHere;  // reversed: of the images, RGB here and BGR there

  bool is_linear() const { return gamma < 0; }
};

// Lists the layers that the logits need, in the network's order. Throws UnsupportedError for an op that PyTorch's
// network has no name for.
std::vector<PytorchLayer> pytorch_layers(const Net& net);

}  // namespace bn::exchange
