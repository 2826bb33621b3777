#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bn/evaluate.hpp"

namespace bn::test {
namespace {

TEST(ScoreLogits, RanksAndMeasuresTheLabel) {
  const float logits[] = {1.0F, 3.0F, 2.0F};
  EXPECT_EQ(score_logits(logits, 3, 1).rank, 0);
  EXPECT_EQ(score_logits(logits, 3, 2).rank, 1);
  EXPECT_EQ(score_logits(logits, 3, 0).rank, 2);
  const double sum = std::exp(1.0) + std::exp(2.0) + std::exp(3.0);
  EXPECT_NEAR(score_logits(logits, 3, 1).loss, std::log(sum) - 3.0, 1e-12);
}

TEST(ScoreLogits, TiesCountAgainstTheLabel) {
  const float logits[] = {1.0F, 1.0F, 1.0F};
  EXPECT_EQ(score_logits(logits, 3, 0).rank, 2);
}

TEST(ScoreLogits, HugeLogitsDoNotOverflow) {
  const float logits[] = {1e30F, -1e30F};
  EXPECT_EQ(score_logits(logits, 2, 0).loss, 0.0);
  EXPECT_NEAR(score_logits(logits, 2, 1).loss, 2e30, 1e24);
}

TEST(ScoreLogits, NotANumberIsNeverRight) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float logits[] = {nan, nan, nan};
  EXPECT_EQ(score_logits(logits, 3, 0).rank, 2);
}

TEST(NormalizationOf, IsInUnitsOfPixels) {
  DataOptions data;
  data.mean = {0.5, 0.4, 0.3};
  data.std = {0.25, 0.2, 0.1};
  const ImageNormalization normalization = normalization_of(data);
  EXPECT_FLOAT_EQ(normalization.mean[0], 127.5F);
  EXPECT_FLOAT_EQ(normalization.scale[1], 1.0F / 51.0F);
}

}  // namespace
}  // namespace bn::test
