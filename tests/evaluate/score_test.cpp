#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "bn/evaluate.hpp"
#include "evaluate/image_account.hpp"
#include "evaluate/small_set.hpp"
#include "support/error_message.hpp"

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

// Values of Newcombe 1998, table I, method 3 (Wilson's score without continuity correction).
TEST(WilsonInterval, IsThePublishedOne) {
  struct Case {
    int64_t successes, trials;
    double low, high;
  };
  for (const Case& one : {Case{81, 263, 0.2553, 0.3662}, Case{15, 148, 0.0624, 0.1605}, Case{0, 20, 0, 0.1611},
                          Case{1, 29, 0.0061, 0.1718}}) {
    EXPECT_NEAR(wilson_interval(one.successes, one.trials).low, one.low, one.low == 0 ? 1e-12 : 5e-5);
    EXPECT_NEAR(wilson_interval(one.successes, one.trials).high, one.high, 5e-5);
  }
}

TEST(WilsonInterval, StaysWithinAllShares) {
  EXPECT_EQ(wilson_interval(7, 7).high, 1);
  EXPECT_GT(wilson_interval(7, 7).low, 0.5);
  EXPECT_EQ(wilson_interval(0, 0).low, 0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1);
}

TEST(WilsonInterval, HoldsTheShareItself) {
  for (int64_t trials = 1; trials < 300; ++trials) {
    EXPECT_EQ(wilson_interval(0, trials).low, 0);
    EXPECT_EQ(wilson_interval(trials, trials).high, 1);
  }
}

TEST(ImageAccount, IsClosedWhenEachImageWasScoredOrSkipped) {
  const SmallSet images(1, {{1}, {2}, {3}});
  ImageAccount account(images);
  account.add_scored(0);
  account.add_skipped(2);
  account.add_scored(1);
  account.close();
  EXPECT_EQ(account.scored(), 2);
  EXPECT_EQ(account.skipped(), 1);
}

TEST(ImageAccount, RefusesAnImageThatComesTwice) {
  const SmallSet images(1, {{1}, {2}});
  ImageAccount account(images);
  account.add_scored(1);
  EXPECT_EQ(error_message<DataError>([&] { account.add_scored(1); }), "image 1 was scored twice");
  EXPECT_EQ(error_message<DataError>([&] { account.add_skipped(1); }), "image 1 was scored twice");
  account.add_skipped(0);
  EXPECT_EQ(error_message<DataError>([&] { account.add_scored(0); }), "image 0 was scored twice");
}

TEST(ImageAccount, IsNotClosedWhileAnImageIsMissing) {
  const SmallSet images(1, {{1}, {2}, {3}});
  ImageAccount account(images);
  account.add_scored(0);
  account.add_skipped(2);
  EXPECT_EQ(error_message<DataError>([&] { account.close(); }),
            "1 images were scored and 1 skipped, but the set holds 3");
}

}  // namespace
}  // namespace bn::test
