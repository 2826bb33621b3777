#include "bn/duplicates.hpp"

#include <gtest/gtest.h>

#include "data/fixtures.hpp"

namespace bn {
namespace {

using test::EncodedSet;
using test::jpeg_image;

TEST(Duplicates, AreFoundByTheirBytesUnderAnyName) {
  const EncodedSet training(
      {jpeg_image(20, 20, 1), jpeg_image(20, 20, 2), jpeg_image(20, 20, 1), jpeg_image(20, 20, 3)});
  const EncodedSet validation({jpeg_image(20, 20, 4), jpeg_image(20, 20, 3), jpeg_image(20, 20, 1)});
  const Duplicates found = find_duplicates(training, validation);
  EXPECT_EQ(found.kind, Duplicates::Kind::kContent);
  EXPECT_EQ(found.repeated.count, 1);
  EXPECT_EQ(found.repeated.of_other_classes, 1);  // labels are the indices
  EXPECT_EQ(found.repeated.copy, "set/2.jpg");
  EXPECT_EQ(found.repeated.original, "set/0.jpg");
  EXPECT_EQ(found.shared.count, 2);
  EXPECT_EQ(found.shared.copy, "set/1.jpg");
  EXPECT_EQ(found.shared.original, "set/3.jpg");
}

TEST(Duplicates, AnImageThatCannotBeReadIsNobodysCopy) {
  EncodedSet training({jpeg_image(20, 20, 1), jpeg_image(20, 20, 1)});
  training.on_read = [](int64_t index) {
    if (index == 1) throw DataError("gone");
  };
  EXPECT_EQ(find_duplicates(training, training).repeated.count, 0);
}

// A set too large to be read at the start.
class LargeSet final : public Dataset {
 public:
  explicit LargeSet(std::vector<std::string> names) : names_(std::move(names)) {}
  int64_t size() const override { return static_cast<int64_t>(names_.size()); }
  int32_t label(int64_t) const override { return 0; }
  std::string name(int64_t index) const override { return names_[static_cast<size_t>(index)]; }
  const std::vector<std::string>& class_names() const override { return names_; }
  int64_t stored_bytes(int64_t) const override { return int64_t{1} << 30; }
  Sample read(int64_t, std::vector<uint8_t>&) const override { throw std::logic_error("it was read"); }

 private:
  std::vector<std::string> names_;
};

TEST(Duplicates, OfLargeSetsAreFoundByNameAndSize) {
  const Duplicates found = find_duplicates(LargeSet({"train/a/1.jpg", "train/a/2.jpg"}), LargeSet({"val/a/2.jpg"}));
  EXPECT_EQ(found.kind, Duplicates::Kind::kNameAndSize);
  EXPECT_EQ(found.repeated.count, 0);
  EXPECT_EQ(found.shared.count, 1);
}

}  // namespace
}  // namespace bn
