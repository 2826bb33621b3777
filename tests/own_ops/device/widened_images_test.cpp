// A convolution of images whose rows are as wide as the backend wants (Backend::image_row_stride), zeros between.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

std::vector<OpCase> widened_image_cases() {
  std::vector<OpCase> cases;
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    cases.push_back({.spec = Conv2d{.out_channels = 16, .kernel = 7, .stride = 2, .pad = 3},
                     .x = {{2, 17, 15, 3}},
                     .dtype = dtype,
                     .wants_dx = {false}});
  }
  return cases;
}

// All memory of one op whose images lie in wider rows.
class WidenedImages {
 public:
  WidenedImages(Backend& backend, const OpCase& op_case, const OpData& data)
      : width_(backend.image_row_stride(op_case.x[0].c, op_case.dtype)),
        x_(backend, op_case.dtype, with_channels(op_case.x[0], width_)),
        w_(backend, DType::kF32, parameters_of(op_case.spec, op_case.x)[0].shape),
        y_(backend, op_case.dtype, output_shape(op_case.spec, op_case.x)),
        dy_(backend, op_case.dtype, output_shape(op_case.spec, op_case.x)),
        dw_(backend, DType::kF32, w_.tensor().shape) {
    x_.write(widened(data.x[0], op_case.x[0].c));
    w_.write(data.w[0]);
    dy_.write(data.dy);
    io_.x = {x_.tensor()};
    io_.x[0].shape.c = op_case.x[0].c;
    const OpDesc desc{.name = "conv",
                      .x = {{op_case.dtype, op_case.x[0], width_}},
                      .y = TensorDesc::dense(op_case.dtype, y_.tensor().shape),
                      .wants_dx = {false}};
    op_ = backend.make_op(op_case.spec, desc);
    packed_ = backend.allocate(op_->packed_bytes());
    scratch_ = backend.allocate(op_->scratch_bytes());
    io_.w = {w_.tensor()};
    io_.y = y_.tensor();
    io_.dx = {Tensor{}};
    io_.dy = dy_.tensor();
    io_.dw = {dw_.tensor()};
    io_.packed = packed_->data();
    io_.scratch = scratch_->data();
  }

  void run() {
    op_->pack(io_);
    op_->forward(io_);
    op_->backward(io_);
    op_->unpack(io_);
  }
  void forget() {
    y_.fill_garbage();
    dw_.fill_garbage();
  }
  void expect_close_to(const OpResult& expected, const Tolerance& tolerance) const {
    EXPECT_LT(difference(y_.read(), expected.y).max, tolerance.y);
    EXPECT_LT(difference(dw_.read(), expected.dw[0]).max, dw_tolerance(tolerance, op_->implementation()));
  }

 private:
  static Shape with_channels(Shape shape, int64_t channels) {
    shape.c = channels;
    return shape;
  }
  Values widened(const Values& images, int64_t channels) const {
    Values values;
    for (size_t i = 0; i < images.size(); ++i) {
      values.push_back(images[i]);
      if (static_cast<int64_t>(i) % channels == channels - 1) values.insert(values.end(), width_ - channels, 0.0);
    }
    return values;
  }

  int64_t width_;
  GuardedTensor x_, w_, y_, dy_, dw_;
  std::unique_ptr<Op> op_;
  std::unique_ptr<Buffer> packed_, scratch_;
  OpIo io_;
};

using WidenedImagesTest = OwnOpTest<>;

TEST_F(WidenedImagesTest, AreTakenAlsoInARecording) {
  Backend& backend = library_backend();
  for (const OpCase& op_case : widened_image_cases()) {
    const OpData data = exact_data(op_case);
    const OpResult expected = reference_conv(op_case, data);
    WidenedImages op(backend, op_case, data);
    op.run();
    op.expect_close_to(expected, exact_tolerance(op_case));
    op.forget();
    backend.record([&] { op.run(); })();
    op.expect_close_to(expected, exact_tolerance(op_case));
  }
}

}  // namespace
}  // namespace bn::test
