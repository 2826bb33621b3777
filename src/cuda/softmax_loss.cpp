#include "core/op_checks.hpp"
#include "cuda/kernels/elements.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

class SoftmaxLossOp final : public Op {
 public:
  SoftmaxLossOp(const Context& context, const SoftmaxLoss& spec, const Shape& logits)
      : context_(context), weight_(spec.weight), n_(logits.n), classes_(logits.c) {}

  void forward(const OpIo& io) override {
    softmax_loss(context_, io.y.as<float>(), io.step, io.x[0].as<float>(), io.x[1].as<int32_t>(), n_, classes_);
  }
  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
    softmax_loss_gradient(context_, io.dx[0].as<float>(), io.x[0].as<float>(), io.x[1].as<int32_t>(), n_, classes_,
                          weight_);
  }

 private:
  const Context& context_;
  float weight_;
  int64_t n_, classes_;
};

}  // namespace

std::unique_ptr<Op> make_softmax_loss(const Context& context, const SoftmaxLoss& spec, const OpDesc& desc) {
  require_loss_types(desc);
  return std::make_unique<SoftmaxLossOp>(context, spec, desc.x.at(0).shape);
}

}  // namespace bn::cuda
