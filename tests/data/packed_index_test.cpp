#include "data/packed_index.hpp"

#include <gtest/gtest.h>

#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

PackedIndex sample() {
  PackedIndex index{.plan = 5, .class_checksum = 6, .decoded_size = 0, .origin = Origin::kOfficialImageNet};
  index.shards = {{.bytes = 5000, .checksum = 1}, {.bytes = 9000, .checksum = 2}};
  for (uint16_t i = 0; i < 5; ++i) {
    index.images.push_back({.offset = uint64_t{512} * i,
                            .checksum = i,
                            .bytes = 400,
                            .label = i,
                            .width = 30,
                            .height = 40,
                            .shard = static_cast<uint16_t>(i / 3),
                            .traits = kTraitGray});
  }
  return index;
}

std::string parse_error(const std::string& bytes) {
  return error_message<DataError>([&] { parse_index(bytes, "train.index"); });
}

TEST(PackedIndex, SurvivesARoundTrip) {
  EXPECT_EQ(parse_index(write_index(sample()), "x"), sample());
  EXPECT_EQ(parse_index(write_index({}), "x"), PackedIndex{});
}

TEST(PackedIndex, EveryTruncationAndEveryChangedByteIsAnError) {
  const std::string bytes = write_index(sample());
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_NE(parse_error(bytes.substr(0, size)), "") << size;
  EXPECT_NE(parse_error(bytes + "x"), "");
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int bit : {1, 128}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ bit);
      EXPECT_NE(parse_error(changed), "") << at;
    }
  }
}

TEST(PackedIndex, SaysWhatIsWrong) {
  const std::string bytes = write_index(sample());
  EXPECT_EQ(parse_error("something else"), "train.index is no index of a packed set, or of another version");
  EXPECT_EQ(parse_error(bytes.substr(0, 100)),
            "the index train.index is cut off or damaged: it has 100 bytes, not those of 5 images in 2 shards");
  std::string changed = bytes;
  changed[60] = static_cast<char>(changed[60] + 1);
  EXPECT_EQ(parse_error(changed), "the index train.index is damaged: its checksum is wrong");
  EXPECT_CONTAINS(error_message<DataError>([] { read_index("/nowhere/train.index"); }),
                  "cannot open the index /nowhere/train.index: it is not there; pack the set with bn-data pack");
}

TEST(PackedIndex, ImagesLieInsideTheirShards) {
  const auto with = [](const std::function<void(PackedImage&)>& change) {
    PackedIndex index = sample();
    change(index.images.back());
    return parse_error(write_index(index));
  };
  const char* message = "the index train.index is damaged: an image lies outside its shard";
  EXPECT_EQ(with([](PackedImage& image) { image.shard = 2; }), message);
  EXPECT_EQ(with([](PackedImage& image) { image.shard = 0; }), message);  // not in file order
  EXPECT_EQ(with([](PackedImage& image) { image.offset = 8601; }), message);
  EXPECT_EQ(with([](PackedImage& image) { image.offset = ~uint64_t{0}; }), message);
  EXPECT_EQ(with([](PackedImage& image) { image.bytes = 9001; }), message);
  EXPECT_EQ(with([](PackedImage& image) { image.label = -1; }), message);
}

TEST(PackedIndex, PixelsHaveTheSizeOfTheSet) {
  const auto with = [](uint32_t decoded_size, const std::function<void(PackedImage&)>& change) {
    PackedIndex index = sample();
    index.decoded_size = decoded_size;
    for (PackedImage& image : index.images) {
      image.width = image.height = 11;
      image.bytes = 3 * 11 * 11;
    }
    change(index.images.back());
    return write_index(index);
  };
  EXPECT_NO_THROW(parse_index(with(11, [](PackedImage&) {}), "train.index"));
  const auto message = [&](const std::function<void(PackedImage&)>& change) { return parse_error(with(11, change)); };
  const char* expected = "the index train.index is damaged: an image is not of 11 x 11 pixels";
  EXPECT_EQ(message([](PackedImage& image) { image.width = image.height = 60000; }), expected);
  EXPECT_EQ(message([](PackedImage& image) { image.height = 10; }), expected);
  EXPECT_EQ(message([](PackedImage& image) { image.bytes = 362; }), expected);
  EXPECT_CONTAINS(parse_error(with(1U << 31, [](PackedImage&) {})), "the index train.index is damaged: ");
}

}  // namespace
}  // namespace bn
