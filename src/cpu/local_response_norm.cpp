// Local response normalisation across channels. Backward computes the scales again from x rather than keep them: a
// square and two roots cost less than writing and reading an f32 per element.
#include <fmt/format.h>

#include "bn/error.hpp"
#include "core/op_checks.hpp"
#include "cpu/kernels/kernels.hpp"
#include "cpu/ops.hpp"
#include "cpu/parallel.hpp"

namespace bn::cpu {
namespace {

class LocalResponseNormOp final : public Op {
 public:
  LocalResponseNormOp(const LocalResponseNorm& spec, const TensorDesc& x)
      : spec_(spec), rows_(x.shape.rows()), c_(x.shape.c), dtype_(x.dtype) {}

  void forward(const OpIo& io) override {
#pragma omp parallel if (worth_threads(rows_ * c_))
    {
      const Share mine = share_of(rows_);
      kernels_.elements(dtype_).local_response_norm(at(io.y, mine.begin), at(io.x[0], mine.begin), spec_,
                                                    mine.end - mine.begin, c_);
    }
  }

  void backward(const OpIo& io) override {
    if (!io.dx[0]) return;
#pragma omp parallel if (worth_threads(rows_ * c_))
    {
      const Share mine = share_of(rows_);
      kernels_.elements(dtype_).local_response_norm_gradient(at(io.dx[0], mine.begin), at(io.dy, mine.begin),
                                                             at(io.x[0], mine.begin), spec_, mine.end - mine.begin, c_);
    }
  }

  std::string implementation() const override { return std::string("own:") + kernels_.instruction_set; }

 private:
  void* at(const Tensor& tensor, int64_t row) const { return tensor.as<uint8_t>() + row * c_ * size_of(dtype_); }

  LocalResponseNorm spec_;
  int64_t rows_, c_;
  DType dtype_;
  const Kernels& kernels_ = kernels();
};

}  // namespace

std::unique_ptr<Op> make_local_response_norm(const LocalResponseNorm& spec, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  require_normalized_window(spec);
  return std::make_unique<LocalResponseNormOp>(spec, desc.x[0]);
}

}  // namespace bn::cpu
