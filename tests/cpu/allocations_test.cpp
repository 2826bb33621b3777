// Ops prepare everything when they are made: afterwards no code of ours allocates.
#include <gtest/gtest.h>

#include <list>
#include <vector>

#include "cpu/cpu_backend.hpp"
#include "support/allocation_count.hpp"

namespace bn::test {
namespace {

// An op with memory of its own, ready to run again and again.
class PreparedOp {
 public:
  PreparedOp(Backend& backend, const OpSpec& spec, const Shape& x_shape, DType dtype) {
    const Shape y_shape = output_shape(spec, std::vector{x_shape});
    op_ = backend.make_op(spec, {.name = "op",
                                 .x = {TensorDesc::dense(dtype, x_shape)},
                                 .y = TensorDesc::dense(dtype, y_shape),
                                 .wants_dx = {true}});
    io_.x = {tensor(dtype, x_shape)};
    io_.dx = {tensor(dtype, x_shape)};
    io_.y = tensor(dtype, y_shape);
    io_.dy = tensor(dtype, y_shape);
    for (const ParameterSpec& parameter : parameters_of(spec, std::vector{x_shape})) {
      io_.w.push_back(tensor(DType::kF32, parameter.shape));
      io_.dw.push_back(tensor(DType::kF32, parameter.shape));
    }
    if (const int64_t channels = state_channels(spec, std::vector{x_shape}); channels > 0) {
      io_.state = {tensor(DType::kF32, vector_shape(channels)), tensor(DType::kF32, vector_shape(channels))};
    }
    io_.saved = bytes(op_->saved_bytes());
    io_.scratch = bytes(op_->scratch_bytes());
    io_.packed = bytes(op_->packed_bytes());
  }

  void step() {
    op_->pack(io_);
    op_->forward(io_);
    op_->backward(io_);
  }

 private:
  void* bytes(int64_t count) { return buffers_.emplace_back(cpu_backend().allocate(count))->data(); }
  Tensor tensor(DType dtype, const Shape& shape) {
    return dense(bytes(shape.elements() * size_of(dtype)), dtype, shape);
  }

  std::unique_ptr<Op> op_;
  OpIo io_;
  std::list<std::unique_ptr<Buffer>> buffers_;
};

TEST(Allocations, LibraryOpsMakeNone) {
  const OpSpec specs[] = {Conv2d{.out_channels = 32, .kernel = 3, .pad = 1},
                          Conv2d{.out_channels = 32, .kernel = 3, .stride = 2, .pad = 1},
                          SeparableConv2d{.out_channels = 24}, Linear{.out_features = 10},
                          BatchNorm{.implementation = BatchNormImplementation::kOnednn}};
  for (const Bfloat16Math math : {Bfloat16Math::kAutomatic, Bfloat16Math::kF32}) {
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1, .bfloat16_math = math});
    for (const DType dtype : {DType::kF32, DType::kBf16}) {
      for (const OpSpec& spec : specs) {
        PreparedOp op(*backend, spec, {9, 28, 28, 32}, dtype);
        const AllocationCount count;
        op.step();
        EXPECT_EQ(count.own(), 0) << describe(spec) << ", first step";
        op.step();
        EXPECT_EQ(count.own(), 0) << describe(spec) << ", second step";
      }
    }
  }
}

}  // namespace
}  // namespace bn::test
