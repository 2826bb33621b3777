#include "evaluate/image_account.hpp"

#include <gtest/gtest.h>

#include "evaluate/small_set.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

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
