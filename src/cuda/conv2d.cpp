// Conv2d: a dense convolution, with batch normalisation or a bias folded in where the plan says so.
#include "cuda/dense_convolution.hpp"
#include "cuda/library_ops.hpp"

namespace bn::cuda {
namespace {

class Conv2dOp final : public Op {
 public:
  Conv2dOp(const Context& context, const Conv2d& spec, const OpDesc& desc)
      : convolution_(context, {.kernel = spec.kernel, .stride = spec.stride, .pad = spec.pad}, spec.folded, desc,
                     WeightSource::kStayInPlace) {}

  int64_t scratch_bytes() const override { return convolution_.scratch_bytes(); }
  int64_t packed_bytes() const override { return convolution_.packed_bytes(); }
  std::string implementation() const override { return convolution_.implementation(); }

  void pack(const OpIo& io) override { convolution_.pack(io, io.w.at(0).as<const float>(), 1); }
  void forward(const OpIo& io) override { convolution_.forward(io, io.scratch); }
  void backward(const OpIo& io) override { convolution_.backward(io.dw.at(0).as<float>(), io, io.scratch); }
  void unpack(const OpIo& io) override { convolution_.unpack(io.dw.at(0).as<float>(), io); }

 private:
  DenseConvolution convolution_;
};

}  // namespace

std::unique_ptr<Op> make_conv2d(const Context& context, const Conv2d& spec, const OpDesc& desc) {
  return std::make_unique<Conv2dOp>(context, spec, desc);
}

}  // namespace bn::cuda
