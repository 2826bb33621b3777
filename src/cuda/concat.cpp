// Concatenation along channels, where the plan could not write in place: copies of rows.
#include "core/op_checks.hpp"
#include "cuda/kernels/elements.hpp"
#include "cuda/ops.hpp"

namespace bn::cuda {
namespace {

class ConcatOp final : public Op {
 public:
  explicit ConcatOp(const Context& context) : context_(context) {}

  void forward(const OpIo& io) override {
    const int64_t pitch = io.y.shape.c * size_of(io.y.dtype);
    auto* to = io.y.as<uint8_t>();
    for (const Tensor& x : io.x) {
      const int64_t bytes = x.shape.c * size_of(x.dtype);
      copy_rows(context_, to, pitch, x.data, bytes, x.shape.rows(), bytes);
      to += bytes;
    }
  }
  void backward(const OpIo& io) override {
    const int64_t pitch = io.dy.shape.c * size_of(io.dy.dtype);
    const auto* from = io.dy.as<uint8_t>();
    for (size_t i = 0; i < io.x.size(); ++i) {
      const int64_t bytes = io.x[i].shape.c * size_of(io.x[i].dtype);
      if (io.dx[i]) copy_rows(context_, io.dx[i].data, bytes, from, pitch, io.x[i].shape.rows(), bytes);
      from += bytes;
    }
  }

 private:
  const Context& context_;
};

}  // namespace

std::unique_ptr<Op> make_concat(const Context& context, const Concat&, const OpDesc& desc) {
  require_activations(desc);
  refuse_row_strides(desc);
  return std::make_unique<ConcatOp>(context);
}

}  // namespace bn::cuda
