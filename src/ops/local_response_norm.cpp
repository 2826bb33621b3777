// Local response normalisation across channels. Backward computes the scales again from x rather than keep them: a
// square and two roots cost less than writing and reading an f32 per element.
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

class LocalResponseNormOp final : public OwnOp {
 public:
  LocalResponseNormOp(const OwnKernels& kernels, const LocalResponseNorm& spec) : OwnOp(kernels), spec_(spec) {}

  void forward(const OpIo& io) override { kernels().local_response_norm(io.y, io.x[0], spec_); }
  void backward(const OpIo& io) override {
    if (io.dx[0]) kernels().local_response_norm_gradient(io.dx[0], io.dy, io.x[0], spec_);
  }

 private:
  LocalResponseNorm spec_;
};

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const LocalResponseNorm& spec, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  require_normalized_window(spec);
  return std::make_unique<LocalResponseNormOp>(kernels, spec);
}

}  // namespace bn::ops
