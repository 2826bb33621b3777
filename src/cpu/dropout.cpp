// Dropout. The mask is drawn from (seed, step, op, element) whenever it is needed, so nothing is kept for backward.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "core/op_checks.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

constexpr int64_t kSpan = 4096;  // elements of a task; a multiple of the four that one draw serves

class DropoutOp final : public Op {
 public:
  DropoutOp(const Dropout& spec, const OpDesc& desc)
      : rate_(spec.rate),
        phase_(desc.phase),
        op_(hash_name(desc.name)),
        elements_(desc.y.shape.elements()),
        dtype_(desc.y.dtype) {}

  void forward(const OpIo& io) override {
    if (phase_ == Phase::kTrain) {
      apply(io.y, io.x[0], *io.step);
    } else {
      std::memcpy(io.y.data, io.x[0].data, static_cast<size_t>(io.y.bytes()));
    }
  }
  void backward(const OpIo& io) override {
    if (io.dx[0]) apply(io.dx[0], io.dy, *io.step);
  }
  std::string implementation() const override { return std::string("own:") + kernels_.instruction_set; }

 private:
  void apply(const Tensor& y, const Tensor& x, const StepState& state) const {
    const DropoutMask mask{.key = state.seed ^ op_, .step = state.now.step, .rate = rate_};
#pragma omp parallel if (worth_threads(elements_))
    {
      const Share mine = share_of((elements_ + kSpan - 1) / kSpan);
      const int64_t first = mine.begin * kSpan, count = std::min(elements_, mine.end * kSpan) - first;
      const int64_t offset = first * size_of(dtype_);
      if (count > 0) {
        kernels_.elements(dtype_).dropout(y.as<uint8_t>() + offset, x.as<uint8_t>() + offset, mask, first, count);
      }
    }
  }

  float rate_;
  Phase phase_;
  uint64_t op_;
  int64_t elements_;
  DType dtype_;
  const Kernels& kernels_ = kernels();
};

}  // namespace

std::unique_ptr<Op> make_dropout(const Dropout& spec, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  require_dropout_rate(spec);
  return std::make_unique<DropoutOp>(spec, desc);
}

}  // namespace bn::cpu
