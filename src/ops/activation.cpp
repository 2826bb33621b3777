// ReLU and sigmoid where no batch normalisation carries them: alone, or with a bias, y = activation(x + bias).
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

class ActivateOp final : public OwnOp {
 public:
  ActivateOp(const OwnKernels& kernels, Activation activation) : OwnOp(kernels), activation_(activation) {}

  void forward(const OpIo& io) override {
    kernels().bias_activation(matrix_of(io.y), matrix_of(io.x[0]), nullptr, activation_);
  }
  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
    kernels().bias_activation_gradient(matrix_of(io.dx[0]), nullptr, nullptr, matrix_of(io.dy), matrix_of(io.y),
                                       activation_);
  }

 private:
  Activation activation_;
};

class BiasActivationOp final : public OwnOp {
 public:
  BiasActivationOp(const OwnKernels& kernels, Activation activation, const OpDesc& desc)
      : OwnOp(kernels), activation_(activation) {
    if (desc.has_backward) scratch_bytes_ = kernels.partial_bytes(desc.y.shape.rows(), desc.y.shape.c);
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }

  void forward(const OpIo& io) override {
    kernels().bias_activation(matrix_of(io.y), matrix_of(io.x[0]), io.w[0].as<float>(), activation_);
  }
  void backward(const OpIo& io) override {
    kernels().bias_activation_gradient(matrix_of(io.dx[0]), io.dw[0].as<float>(), io.scratch, matrix_of(io.dy),
                                       matrix_of(io.y), activation_);
  }

 private:
  Activation activation_;
  int64_t scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Activate& spec, const OpDesc& desc) {
  require_activations(desc);
  return std::make_unique<ActivateOp>(kernels, spec.activation);
}

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const BiasActivation& spec, const OpDesc& desc) {
  require_activations(desc);
  return std::make_unique<BiasActivationOp>(kernels, spec.activation, desc);
}

}  // namespace bn::ops
