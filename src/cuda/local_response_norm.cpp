#include "core/op_checks.hpp"
#include "cuda/kernels/elements.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

class LocalResponseNormOp final : public Op {
 public:
  LocalResponseNormOp(const Context& context, const LocalResponseNorm& spec) : context_(context), spec_(spec) {}

  void forward(const OpIo& io) override { local_response_norm(context_, io.y, io.x[0], spec_); }
  void backward(const OpIo& io) override {
    if (io.dx[0]) local_response_norm_gradient(context_, io.dx[0], io.dy, io.x[0], spec_);
  }

 private:
  const Context& context_;
  LocalResponseNorm spec_;
};

}  // namespace

std::unique_ptr<Op> make_local_response_norm(const Context& context, const LocalResponseNorm& spec,
                                             const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  require_normalized_window(spec);
  return std::make_unique<LocalResponseNormOp>(context, spec);
}

}  // namespace bn::cuda
