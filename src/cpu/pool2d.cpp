// Max and average pooling. One task is one row of pixels of one image.
//
// Bytes moved per output element of a max pool: the window's new elements of x, y, and one byte of argmax.
#include <fmt/format.h>

#include <algorithm>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

// Pixel `pixel` of a tensor, as the start of rows.
Rows rows_from(const Tensor& tensor, int64_t pixel) {
  return {tensor.as<uint8_t>() + pixel * tensor.row_stride * size_of(tensor.dtype), tensor.row_stride};
}

class Pool2dOp final : public Op {
 public:
  Pool2dOp(const Pool2d& spec, const OpDesc& desc, const PoolGeometry& geometry)
      : kind_(spec.kind), geometry_(geometry), n_(desc.y.shape.n), dtype_(desc.y.dtype) {
    if (kind_ == PoolKind::kMax && desc.phase == Phase::kTrain && desc.has_backward) {
      saved_bytes_ = desc.y.shape.elements();
    }
  }

  int64_t saved_bytes() const override { return saved_bytes_; }  // argmax, dense [n, oh, ow, c]
  void forward(const OpIo& io) override;
  void backward(const OpIo& io) override;
  std::string implementation() const override { return std::string("own:") + kernels_.instruction_set; }

 private:
  PoolKind kind_;
  PoolGeometry geometry_;
  int64_t n_;
  DType dtype_;
  int64_t saved_bytes_ = 0;
  const Kernels& kernels_ = kernels();
};

void Pool2dOp::forward(const OpIo& io) {
  const PoolGeometry& g = geometry_;
  auto* argmax = saved_bytes_ == 0 ? nullptr : static_cast<uint8_t*>(io.saved);
  const PoolKernels& pool = kernels_.pool(dtype_);
#pragma omp parallel if (worth_threads(n_ * g.h * g.w * g.c))
  {
    const Share mine = share_of(n_ * g.oh);
    for (int64_t row = mine.begin; row < mine.end; ++row) {
      const int64_t image = row / g.oh, oh = row % g.oh;
      const Rows y = rows_from(io.y, row * g.ow), x = rows_from(io.x[0], image * g.h * g.w);
      if (kind_ == PoolKind::kAverage) {
        pool.average(y, x, g, oh);
      } else {
        pool.max(y, argmax == nullptr ? nullptr : argmax + row * g.ow * g.c, x, g, oh);
      }
    }
  }
}

void Pool2dOp::backward(const OpIo& io) {
  if (!io.dx[0]) return;
  const PoolGeometry& g = geometry_;
  const auto* argmax = static_cast<const uint8_t*>(io.saved);
  const PoolKernels& pool = kernels_.pool(dtype_);
#pragma omp parallel if (worth_threads(n_ * g.h * g.w * g.c))
  {
    const Share mine = share_of(n_ * g.h);
    for (int64_t row = mine.begin; row < mine.end; ++row) {
      const int64_t image = row / g.h, h = row % g.h;
      const Rows dx = rows_from(io.dx[0], row * g.w), dy = rows_from(io.dy, image * g.oh * g.ow);
      if (kind_ == PoolKind::kAverage) {
        pool.average_gradient(dx, dy, g, h);
      } else {
        pool.max_gradient(dx, dy, argmax + image * g.oh * g.ow * g.c, g, h);
      }
    }
  }
}

}  // namespace

std::unique_ptr<Op> make_pool2d(const Pool2d& spec, const OpDesc& desc) {
  require_activations(desc);
  const Shape &x = desc.x.at(0).shape, &y = desc.y.shape;
  require_pool_window(spec, y);
  const PoolGeometry geometry{.h = x.h,
                              .w = x.w,
                              .oh = y.h,
                              .ow = y.w,
                              .c = x.c,
                              .kernel = spec.kernel,
                              .stride = spec.stride,
                              .pad = spec.pad,
                              .border = spec.border};
  return std::make_unique<Pool2dOp>(spec, desc, geometry);
}

}  // namespace bn::cpu
