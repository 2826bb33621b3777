// The ops that oneDNN computes, one function per kind of op. Each prepares everything for the shapes and types of
// `desc` and throws UnsupportedError when it has no proper implementation for them.
#pragma once

#include <memory>
#include <string>

#include "bn/backend.hpp"
#include "bn/backend_options.hpp"

namespace bn::cpu {

// --- The ways to compute a convolution, DenseConvolution, WinogradConvolution and AmxConvolution, as Conv2d sees them.
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

// --- The ops.
// Conv2d goes through oneDNN, with transforms of our own where they pay.
std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, const CpuOptions& options);
// The op that computes by `convolution`, which was prepared for the same.
std::unique_ptr<Op> make_conv2d(const Conv2d& spec, const OpDesc& desc, std::unique_ptr<Convolution> convolution);
std::unique_ptr<Op> make_separable_conv2d(const SeparableConv2d& spec, const OpDesc& desc);
std::unique_ptr<Op> make_linear(const Linear& spec, const OpDesc& desc);
std::unique_ptr<Op> make_batch_norm_onednn(const BatchNorm& spec, const OpDesc& desc);

// --- folding.cpp: batch normalisation, or a bias, folded into the op before it.
// Paper: Algorithm 2, step 11. For each output o: w_folded[o, :] = scale[o] * w[o, :], with scale = gamma /
// sqrt(var + eps) and bias = beta - scale * mean; without batch normalisation scale = 1 and bias is the parameter.
// io.w holds gamma and beta (or the bias) from index `first` on. w_folded may be w.
void fold(float* w_folded, float* bias, const float* w, int64_t outputs, int64_t inputs, const Folded& folded,
          const OpIo& io, size_t first);

}  // namespace bn::cpu
