// ReLU and sigmoid where no batch normalisation carries them: alone, or with a bias, y = activation(x + bias).
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

// With a bias, the op's one parameter, or without one.
class ActivationOp final : public OwnOp {
 public:
  ActivationOp(const OwnKernels& kernels, Activation activation, int64_t scratch_bytes)
      : OwnOp(kernels), activation_(activation), scratch_bytes_(scratch_bytes) {}

  int64_t scratch_bytes() const override { return scratch_bytes_; }

  void forward(const OpIo& io) override {
    kernels().bias_activation(matrix_of(io.y), matrix_of(io.x[0]), only(io.w), activation_);
  }
  void backward(const OpIo& io) override {
    if (io.dw.empty() && !io.dx[0]) return;
    kernels().bias_activation_gradient(matrix_of(io.dx[0]), only(io.dw), io.scratch, matrix_of(io.dy), matrix_of(io.y),
                                       activation_);
  }

 private:
  static float* only(const std::vector<Tensor>& parameters) {
    return parameters.empty() ? nullptr : parameters[0].as<float>();
  }

  Activation activation_;
  int64_t scratch_bytes_;
};

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Activate& spec, const OpDesc& desc) {
  require_activations(desc);
  return std::make_unique<ActivationOp>(kernels, spec.activation, 0);
}

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const BiasActivation& spec, const OpDesc& desc) {
  require_activations(desc);
  const int64_t sums = desc.has_backward ? kernels.partial_bytes(desc.y.shape.rows(), desc.y.shape.c) : 0;
  return std::make_unique<ActivationOp>(kernels, spec.activation, sums);
}

}  // namespace bn::ops
