// The mask is recomputed from its counter going back: nothing is saved.
#include "bn/rng.hpp"
#include "core/op_checks.hpp"
#include "cuda/error.hpp"
#include "cuda/kernels/elements.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

class DropoutOp final : public Op {
 public:
  DropoutOp(const Context& context, const Dropout& spec, const OpDesc& desc)
      : context_(context), rate_(spec.rate), phase_(desc.phase), op_(hash_name(desc.name)) {}

  void forward(const OpIo& io) override {
    if (phase_ == Phase::kTrain) return dropout(context_, io.y, io.x[0], io.step, op_, rate_);
    BN_CUDA(cudaMemcpyAsync(io.y.data, io.x[0].data, static_cast<size_t>(io.y.bytes()), cudaMemcpyDeviceToDevice,
                            context_.compute));
  }
  void backward(const OpIo& io) override {
    if (io.dx[0]) dropout(context_, io.dx[0], io.dy, io.step, op_, rate_);
  }

 private:
  const Context& context_;
  float rate_;
  Phase phase_;
  uint64_t op_;
};

}  // namespace

std::unique_ptr<Op> make_dropout(const Context& context, const Dropout& spec, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  require_dropout_rate(spec);
  return std::make_unique<DropoutOp>(context, spec, desc);
}

}  // namespace bn::cuda
