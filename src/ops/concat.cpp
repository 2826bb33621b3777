// Concatenation along channels, where the plan could not write in place: copies of rows.
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

class ConcatOp final : public OwnOp {
 public:
  using OwnOp::OwnOp;
  void forward(const OpIo& io) override { kernels().concat(io.y, io.x); }
  void backward(const OpIo& io) override { kernels().concat_gradient(io.dx, io.dy); }
};

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Concat&, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  return std::make_unique<ConcatOp>(kernels);
}

}  // namespace bn::ops
