// The two ways to compute a convolution, DenseConvolution and WinogradConvolution, as Conv2d sees them.
#pragma once

#include <string>

#include "bn/backend.hpp"

namespace bn::cpu {

struct ConvolutionWindow {
  int64_t kernel = 1, stride = 1, pad = 0;
};

class Convolution {
 public:
  virtual ~Convolution() = default;

  virtual int64_t packed_bytes() const = 0;
  virtual int64_t scratch_bytes() const = 0;
  virtual std::string implementation() const = 0;

  virtual float* bias(void* packed) const = 0;                          // [o], of a folded one; whoever packs fills it
  virtual void pack(void* packed, float* w, void* scratch) = 0;         // w: ohwi
  virtual void forward(const OpIo& io) = 0;                             // scratch from its beginning
  virtual void backward(float* dw, const OpIo& io, void* scratch) = 0;  // dw: ohwi, overwritten; dx where it is wanted
};

}  // namespace bn::cpu
