#include <fmt/format.h>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "cuda/kernels/pool.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

class Pool2dOp final : public Op {
 public:
  Pool2dOp(const Context& context, const Pool2d& spec, const OpDesc& desc, const PoolGeometry& geometry)
      : context_(context), kind_(spec.kind), geometry_(geometry) {
    if (kind_ == PoolKind::kMax && desc.phase == Phase::kTrain && desc.has_backward) {
      saved_bytes_ = desc.y.shape.elements();
    }
  }

  int64_t saved_bytes() const override { return saved_bytes_; }  // argmax, dense [n, oh, ow, c]

  void forward(const OpIo& io) override {
    if (kind_ == PoolKind::kAverage) return average_pool(context_, io.y, io.x[0], geometry_);
    auto* argmax = saved_bytes_ == 0 ? nullptr : static_cast<uint8_t*>(io.saved);
    max_pool(context_, io.y, argmax, io.x[0], geometry_);
  }
  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
    if (kind_ == PoolKind::kAverage) return average_pool_gradient(context_, io.dx[0], io.dy, geometry_);
    max_pool_gradient(context_, io.dx[0], io.dy, static_cast<const uint8_t*>(io.saved), geometry_);
  }

 private:
  const Context& context_;
  PoolKind kind_;
  PoolGeometry geometry_;
  int64_t saved_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_pool2d(const Context& context, const Pool2d& spec, const OpDesc& desc) {
  require_activations(desc);
  const Shape &x = desc.x.at(0).shape, &y = desc.y.shape;
  require_pool_window(spec, y);
  const auto narrow = [](int64_t value) { return static_cast<int>(value); };
  const PoolGeometry geometry{.n = narrow(x.n),
                              .h = narrow(x.h),
                              .w = narrow(x.w),
                              .oh = narrow(y.h),
                              .ow = narrow(y.w),
                              .c = narrow(x.c),
                              .kernel = narrow(spec.kernel),
                              .stride = narrow(spec.stride),
                              .pad = narrow(spec.pad),
                              .border = spec.border};
  return std::make_unique<Pool2dOp>(context, spec, desc, geometry);
}

}  // namespace bn::cuda
