// Softmax cross-entropy, in f32 throughout. Backward computes the probabilities again from the logits: nothing is kept.
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

class SoftmaxLossOp final : public OwnOp {
 public:
  SoftmaxLossOp(const OwnKernels& kernels, const SoftmaxLoss& spec, const Shape& logits)
      : OwnOp(kernels), weight_(spec.weight), n_(logits.n), classes_(logits.c) {}

  int64_t scratch_bytes() const override { return n_ * classes_ * static_cast<int64_t>(sizeof(float)); }

  void forward(const OpIo& io) override {
    kernels().softmax_loss(io.y.as<float>(), io.step, static_cast<float*>(io.scratch), io.x[0].as<float>(),
                           io.x[1].as<int32_t>(), n_, classes_);
  }
  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
    kernels().softmax_loss_gradient(io.dx[0].as<float>(), io.x[0].as<float>(), io.x[1].as<int32_t>(), n_, classes_,
                                    weight_);
  }

 private:
  float weight_;
  int64_t n_, classes_;
};

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const SoftmaxLoss& spec, const OpDesc& desc) {
  require_loss_types(desc);
  return std::make_unique<SoftmaxLossOp>(kernels, spec, desc.x.at(0).shape);
}

}  // namespace bn::ops
