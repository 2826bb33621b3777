// Dropout. The mask is drawn from (seed, step, op, element) whenever it is needed, so nothing is kept for backward.
#include "bn/rng.hpp"
#include "core/op_checks.hpp"
#include "ops/own_op.hpp"

namespace bn::ops {
namespace {

class DropoutOp final : public OwnOp {
 public:
  DropoutOp(const OwnKernels& kernels, const Dropout& spec, const OpDesc& desc)
      : OwnOp(kernels), key_{.op = hash_name(desc.name), .rate = spec.rate}, phase_(desc.phase) {}

  void forward(const OpIo& io) override {
    if (phase_ == Phase::kTrain) {
      kernels().dropout(io.y, io.x[0], io.step, key_);
    } else {
      kernels().copy(io.y, io.x[0]);
    }
  }
  void backward(const OpIo& io) override {
    if (io.dx[0]) kernels().dropout(io.dx[0], io.dy, io.step, key_);
  }

 private:
  DropoutKey key_;
  Phase phase_;
};

}  // namespace

std::unique_ptr<Op> make_op(const OwnKernels& kernels, const Dropout& spec, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  require_dropout_rate(spec);
  return std::make_unique<DropoutOp>(kernels, spec, desc);
}

}  // namespace bn::ops
