// Max and average pooling; the definition is at Pool2d.
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

class Pool2dOp final : public OwnOp {
 public:
  Pool2dOp(const OwnKernels& kernels, const Pool2d& spec, const OpDesc& desc, const PoolGeometry& geometry)
      : OwnOp(kernels), kind_(spec.kind), geometry_(geometry) {
    if (kind_ == PoolKind::kMax && desc.phase == Phase::kTrain && desc.has_backward) {
      saved_bytes_ = desc.y.shape.elements();
    }
  }

  int64_t saved_bytes() const override { return saved_bytes_; }  // argmax, dense [n, oh, ow, c]

  void forward(const OpIo& io) override {
    if (kind_ == PoolKind::kAverage) return kernels().average_pool(io.y, io.x[0], geometry_);
    auto* argmax = saved_bytes_ == 0 ? nullptr : static_cast<uint8_t*>(io.saved);
    kernels().max_pool(io.y, argmax, io.x[0], geometry_);
  }
  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
    if (kind_ == PoolKind::kAverage) return kernels().average_pool_gradient(io.dx[0], io.dy, io.dx_terms, geometry_);
    kernels().max_pool_gradient(io.dx[0], io.dy, static_cast<const uint8_t*>(io.saved), io.dx_terms, geometry_);
  }

 private:
  PoolKind kind_;
  PoolGeometry geometry_;
  int64_t saved_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Pool2d& spec, const OpDesc& desc) {
  require_activations(desc);
  const Shape &x = desc.x.at(0).shape, &y = desc.y.shape;
  require_pool_window(spec, y);
  const PoolGeometry geometry{.n = x.n,
                              .h = x.h,
                              .w = x.w,
                              .oh = y.h,
                              .ow = y.w,
                              .c = x.c,
                              .kernel = spec.kernel,
                              .stride = spec.stride,
                              .pad = spec.pad,
                              .border = spec.border};
  return std::make_unique<Pool2dOp>(kernels, spec, desc, geometry);
}

}  // namespace bn::ops
