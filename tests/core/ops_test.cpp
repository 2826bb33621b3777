#include "bn/ops.hpp"

#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

Shape shape_of(const OpSpec& spec, const Shape& x) { return output_shape(spec, std::vector<Shape>{x}); }

std::string message_of(const OpSpec& spec, const std::vector<Shape>& x) {
  return test::error_message<ShapeError>([&] { output_shape(spec, x); });
}

TEST(OutputShape, OfConvolutionsRoundsDown) {
  EXPECT_EQ(shape_of(Conv2d{.out_channels = 64, .kernel = 7, .stride = 2, .pad = 3}, {2, 224, 224, 3}),
            (Shape{2, 112, 112, 64}));
  EXPECT_EQ(shape_of(Conv2d{.out_channels = 8, .kernel = 3, .stride = 2, .pad = 1}, {1, 28, 27, 3}),
            (Shape{1, 14, 14, 8}));
}

TEST(OutputShape, OfPoolsRoundsUp) {
  EXPECT_EQ(shape_of(Pool2d{.kernel = 3, .stride = 2}, {1, 112, 56, 64}), (Shape{1, 56, 28, 64}));
  EXPECT_EQ(shape_of(Pool2d{.kernel = 3, .stride = 1, .pad = 1}, {1, 28, 28, 64}), (Shape{1, 28, 28, 64}));
  EXPECT_EQ(shape_of(Pool2d{.kind = PoolKind::kAverage, .kernel = 5, .stride = 3}, {1, 14, 14, 576}),
            (Shape{1, 4, 4, 576}));
}

TEST(OutputShape, OfPoolsHasNoWindowInThePaddingAlone) {
  // Positions 0, 2, 4, 6 minus padding 1: the window at 5 would start beyond the last of 5 pixels plus padding.
  EXPECT_EQ(shape_of(Pool2d{.kernel = 2, .stride = 2, .pad = 1}, {1, 5, 5, 1}).h, 3);
  EXPECT_EQ(shape_of(Pool2d{.kernel = 2, .stride = 3, .pad = 1}, {1, 3, 3, 1}).h, 2);
}

TEST(OutputShape, OfConcatAddsChannels) {
  EXPECT_EQ(output_shape(Concat{}, std::vector<Shape>{{1, 4, 4, 3}, {1, 4, 4, 5}}), (Shape{1, 4, 4, 8}));
  EXPECT_EQ(message_of(Concat{}, {{1, 4, 4, 3}, {1, 2, 2, 5}}),
            "cannot concatenate 1x2x2x5 with 1x4x4x3 along channels");
}

TEST(OutputShape, SaysWhatDoesNotFit) {
  EXPECT_EQ(message_of(Conv2d{.out_channels = 1, .kernel = 5}, {{1, 4, 4, 1}}),
            "a 5x5 kernel with stride 1 and padding 0 does not fit 4 pixels");
  EXPECT_EQ(message_of(Pool2d{.kernel = 3, .stride = 2}, {{1, 2, 2, 1}}),
            "a 3x3 pool with stride 2 and padding 0 does not fit 2 pixels");
  EXPECT_EQ(message_of(Conv2d{.out_channels = 1}, {{1, 4, 4, 1}, {1, 4, 4, 1}}), "conv2d takes 1 input(s), not 2");
  EXPECT_EQ(message_of(SoftmaxLoss{}, {{1, 2, 2, 10}, {1, 1, 1, 1}}),
            "softmax_loss needs logits of shape n x 1 x 1 x classes");
}

TEST(ParametersOf, HaveTheStoredLayouts) {
  const std::vector<Shape> x{{1, 14, 14, 24}};
  const auto conv = parameters_of(Conv2d{.out_channels = 8, .kernel = 3, .pad = 1}, x);
  ASSERT_EQ(conv.size(), 1);
  EXPECT_EQ(conv[0].shape, (Shape{8, 3, 3, 24}));
  EXPECT_EQ(conv[0].fan_in, 9 * 24);
  EXPECT_EQ(conv[0].fan_out, 9 * 8);
  const auto linear = parameters_of(Linear{.out_features = 10}, x);
  EXPECT_EQ(linear[0].shape, (Shape{10, 1, 1, 14 * 14 * 24}));
  const auto spatial = parameters_of(BatchNorm{}, x);
  ASSERT_EQ(spatial.size(), 2);
  EXPECT_EQ(spatial[0].shape, vector_shape(24));
  const auto per_activation = parameters_of(BatchNorm{.scope = BatchNormScope::kPerActivation}, x);
  EXPECT_EQ(per_activation[1].shape, vector_shape(14 * 14 * 24));
}

TEST(ParametersOf, FoldedOpsTakeGammaAndBetaOrABias) {
  const std::vector<Shape> x{{1, 4, 4, 2}};
  const auto with_norm = parameters_of(Conv2d{.out_channels = 8, .folded = Folded{.eps = 1e-3F}}, x);
  ASSERT_EQ(with_norm.size(), 3);
  EXPECT_EQ(with_norm[1].suffix, "gamma");
  const auto with_bias = parameters_of(Linear{.out_features = 8, .folded = Folded{}}, x);
  ASSERT_EQ(with_bias.size(), 2);
  EXPECT_EQ(with_bias[1].suffix, "bias");
}

TEST(MultiplyAdds, OfTheSeparableStemIsThePapers34Million) {
  // GoogLeNet, Table 1: convolution 7x7/2 has 2.7K parameters and 34M operations.
  const SeparableConv2d stem{.out_channels = 64};
  const std::vector<Shape> x{{1, 224, 224, 3}};
  EXPECT_EQ(multiply_adds(stem, x), 112 * 112 * 2712);
}

TEST(SupportsRowStride, OfOurColumnOpsAlone) {
  EXPECT_FALSE(supports_row_stride(Conv2d{.out_channels = 8}));
  EXPECT_FALSE(supports_row_stride(SeparableConv2d{.out_channels = 8}));
  EXPECT_FALSE(supports_row_stride(Linear{.out_features = 8}));
  EXPECT_FALSE(supports_row_stride(BatchNorm{.implementation = BatchNormImplementation::kOnednn}));
  EXPECT_FALSE(supports_row_stride(BatchNorm{.scope = BatchNormScope::kPerActivation}));
  EXPECT_TRUE(supports_row_stride(BatchNorm{}));
  EXPECT_TRUE(supports_row_stride(Pool2d{}));
}

}  // namespace
}  // namespace bn
