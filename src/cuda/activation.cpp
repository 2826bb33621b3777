// Activate and BiasActivation: y = activation(x + bias). Backward reads y.
#include "core/op_checks.hpp"
#include "cuda/kernels/columns.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

class ActivateOp final : public Op {
 public:
  ActivateOp(const Context& context, const Activate& spec) : context_(context), activation_(spec.activation) {}

  void forward(const OpIo& io) override {
    column_normalize(context_, matrix_of(io.y), matrix_of(io.x[0]), {}, activation_);
  }
  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
    activation_gradient(context_, matrix_of(io.dx[0]), nullptr, nullptr, matrix_of(io.dy), matrix_of(io.y),
                        activation_);
  }

 private:
  const Context& context_;
  Activation activation_;
};

class BiasActivationOp final : public Op {
 public:
  BiasActivationOp(const Context& context, const BiasActivation& spec, const OpDesc& desc)
      : context_(context), activation_(spec.activation) {
    if (desc.has_backward) scratch_bytes_ = partial_bytes(context, desc.y.shape.c);
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }

  void forward(const OpIo& io) override {
    column_normalize(context_, matrix_of(io.y), matrix_of(io.x[0]), {.shift = io.w[0].as<float>()}, activation_);
  }
  void backward(const OpIo& io) override {
    activation_gradient(context_, matrix_of(io.dx[0]), io.dw[0].as<float>(), static_cast<float*>(io.scratch),
                        matrix_of(io.dy), matrix_of(io.y), activation_);
  }

 private:
  const Context& context_;
  Activation activation_;
  int64_t scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Op> make_activate(const Context& context, const Activate& spec, const OpDesc& desc) {
  require_activations(desc);
  return std::make_unique<ActivateOp>(context, spec);
}

std::unique_ptr<Op> make_bias_activation(const Context& context, const BiasActivation& spec, const OpDesc& desc) {
  require_activations(desc);
  return std::make_unique<BiasActivationOp>(context, spec, desc);
}

}  // namespace bn::cuda
