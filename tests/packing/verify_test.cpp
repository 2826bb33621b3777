#include "packing/verify.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "packing/fixtures.hpp"
#include "packing/imagenet.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

VerifyReport verify_quietly(const std::string& folder, Depth depth = Depth::kChecksums) {
  return verify(folder, depth, 2, [](const PackProgress&) {});
}

bool has_problem(const VerifyReport& report, const std::string& kind, const std::string& part) {
  return std::any_of(report.problems.begin(), report.problems.end(), [&](const Finding& finding) {
    return finding.kind == kind && finding.message.find(part) != std::string::npos;
  });
}

class Verify : public testing::Test {
 protected:
  std::string packed(int images = 6) const {
    pack_quietly(*made_set(dir_, images), {.out = dir_ / "out", .shards = 2});
    return dir_ / "out";
  }

  const TemporaryFolder dir_;
};

TEST_F(Verify, FindsNothingInASoundSet) {
  const std::string folder = packed();
  for (const Depth depth : {Depth::kChecksums, Depth::kDecode}) {
    const auto report = verify_quietly(folder, depth);
    EXPECT_EQ(report.problems, std::vector<Finding>{});
    EXPECT_EQ(report.notes, std::vector<Finding>{});
    ASSERT_EQ(report.splits.size(), 1U);
    EXPECT_EQ(report.splits[0].images, 6);
    EXPECT_EQ(report.splits[0].shards, 2);
    EXPECT_EQ(report.splits[0].classes_present, 2);
  }
}

TEST_F(Verify, FindsEveryTruncation) {
  const std::string folder = packed(2);
  for (const std::string name : {"train-00000.tar", "train-00001.tar", "train.index", "classes.txt"}) {
    const std::string whole = read_bytes(folder + "/" + name);
    const size_t step = std::max<size_t>(whole.size() / 60, 1);
    for (size_t size = 0; size < whole.size(); size += step) {
      dir_.write("out/" + name, whole.substr(0, size));
      EXPECT_FALSE(verify_quietly(folder).problems.empty()) << name << " " << size;
    }
    dir_.write("out/" + name, whole.substr(0, whole.size() - 1));
    EXPECT_FALSE(verify_quietly(folder).problems.empty()) << name;
    dir_.write("out/" + name, whole);
  }
  EXPECT_TRUE(verify_quietly(folder).problems.empty());
}

TEST_F(Verify, FindsEverySingleChangedByte) {
  const std::string folder = packed(2);
  int tried = 0;
  for (const std::string name : {"train-00000.tar", "train.index", "classes.txt"}) {
    Bytes bytes = bytes_of(read_bytes(folder + "/" + name));
    const size_t step = bytes.size() > 1000 ? 11 : 1;  // headers, pixels, padding, labels, the end
    for (size_t at = 0; at < bytes.size(); at += step) {
      const uint8_t was = bytes[at];
      bytes[at] = static_cast<uint8_t>(was ^ (at % 2 == 0 ? 1 : 0x80));
      dir_.write("out/" + name, bytes);
      EXPECT_FALSE(verify_quietly(folder).problems.empty()) << name << " " << at;
      bytes[at] = was;
      ++tried;
    }
    dir_.write("out/" + name, bytes);
  }
  EXPECT_GT(tried, 400);
  EXPECT_TRUE(verify_quietly(folder).problems.empty());
}

TEST_F(Verify, NamesTheImageThatChanged) {
  const std::string folder = packed();
  Bytes shard = bytes_of(read_bytes(folder + "/train-00001.tar"));
  shard[512 + 200] ^= 4;
  dir_.write("out/train-00001.tar", shard);
  const auto report = verify_quietly(folder);
  EXPECT_EQ(report.problems.size(), 2U);
  EXPECT_TRUE(has_problem(report, "shard", "train-00001.tar has changed: its checksum is wrong"));
  EXPECT_TRUE(has_problem(report, "image", ".jpg has changed: its checksum is wrong"));
}

TEST_F(Verify, NamesWhatIsMissing) {
  const std::string folder = packed();
  EXPECT_CONTAINS(error_message<DataError>([&] { verify_quietly(dir_ / "nowhere"); }), "holds no packed set: neither ");
  std::filesystem::remove(folder + "/train-00000.tar");
  EXPECT_TRUE(has_problem(verify_quietly(folder), "shard", "cannot open " + folder + "/train-00000.tar"));
  std::filesystem::remove(folder + "/classes.txt");
  EXPECT_TRUE(has_problem(verify_quietly(folder), "classes", "classes.txt is missing"));
  packed();  // again
  std::filesystem::remove(folder + "/train.index");
  EXPECT_TRUE(has_problem(verify_quietly(folder), "index", "but there are shards; was packing interrupted?"));
}

// Changes what the index says and seals it again, as a faulty packer would.
void forge(const std::string& folder, const std::function<void(PackedIndex&)>& change) {
  PackedIndex index = read_index(index_path(folder, Split::kTrain));
  change(index);
  write_bytes(index_path(folder, Split::kTrain), write_index(index));
}

TEST_F(Verify, ComparesTheIndexWithTheShards) {
  const std::string folder = packed();
  forge(folder, [](PackedIndex& index) { index.images[0].label = 7; });
  auto report = verify_quietly(folder);
  EXPECT_TRUE(has_problem(report, "label", "1 images of the train set have a label beyond the 2 classes"));
  EXPECT_TRUE(has_problem(report, "label", "the index 7"));
  forge(folder, [](PackedIndex& index) {
    index.images[0].label = 0;
    index.images[1].offset += 512;
  });
  EXPECT_TRUE(has_problem(verify_quietly(folder), "structure", "lies elsewhere than the index says"));
  forge(folder, [](PackedIndex& index) { index.images.pop_back(); });
  EXPECT_TRUE(has_problem(verify_quietly(folder), "structure", "not two for each of its 2 images"));
}

TEST_F(Verify, DecodingFindsWhatChecksumsCannot) {
  const std::string folder = packed();
  forge(folder, [](PackedIndex& index) { index.images[0].width += 1; });
  EXPECT_TRUE(verify_quietly(folder).problems.empty());
  EXPECT_TRUE(has_problem(verify_quietly(folder, Depth::kDecode), "decode", " of the index"));
}

TEST_F(Verify, ComparesCountsOfTheOfficialArchivesOnly) {
  const auto source = made_set(dir_, 4);
  const ImagenetClass &first = imagenet_classes()[0], &second = imagenet_classes()[1];
  PackOptions options{.out = dir_ / "out", .class_lines = {first.name, second.name}, .shards = 1};
  pack_quietly(*source, options);
  EXPECT_TRUE(verify_quietly(dir_ / "out").problems.empty());
  forge(dir_ / "out", [](PackedIndex& index) { index.origin = Origin::kOfficialImageNet; });
  const auto report = verify_quietly(dir_ / "out");
  EXPECT_EQ(report.problems.size(), 2U);
  EXPECT_TRUE(has_problem(report, "count", "class n01440764 of the train set has 2 images, not the official 1300"));
}

TEST_F(Verify, NotesImagesOfBothSplits) {
  const TemporaryFolder validation_dir;
  const std::string folder = packed();
  const auto validation =
      made_set(validation_dir, 2, {{"b/copy.jpg", jpeg_image(40, 36, 0)}, {"b/new.jpg", jpeg_image(41, 50, 77)}});
  // Images 0 and 1 are those of the training set; there, number 1 is of the other class.
  pack_quietly(*validation, {.out = folder, .split = Split::kValidation, .shards = 1});
  const auto report = verify_quietly(folder);
  EXPECT_TRUE(report.problems.empty());
  ASSERT_EQ(report.notes.size(), 3U);
  EXPECT_EQ(report.notes[0].kind, "duplicate");
  int relabelled = 0;
  for (const auto& note : report.notes) relabelled += note.message.ends_with(", under another label") ? 1 : 0;
  EXPECT_EQ(relabelled, 2);
}

TEST_F(Verify, NoticesShardsWithoutAnIndexWhateverTheirNumber) {
  const TemporaryFolder validation_dir;
  const std::string folder = packed();
  pack_quietly(*made_set(validation_dir, 2), {.out = folder, .split = Split::kValidation, .shards = 1});
  std::filesystem::remove(folder + "/train.index");
  std::filesystem::remove(folder + "/train-00000.tar");
  const auto has_found = [&] {
    return has_problem(verify_quietly(folder), "index", "train.index is missing, but there are shards");
  };
  EXPECT_TRUE(has_found());
  std::filesystem::rename(folder + "/train-00001.tar", folder + "/train-00007.tar.part");
  EXPECT_TRUE(has_found());
  std::filesystem::remove(folder + "/train-00007.tar.part");
  EXPECT_TRUE(verify_quietly(folder).problems.empty());
}

TEST_F(Verify, AnOffsetBeyondAllFilesIsBeyondThisOneToo) {
  const std::string folder = packed();
  forge(folder, [](PackedIndex& index) {
    index.shards[1].bytes = ~uint64_t{0};
    index.images.back().offset = uint64_t{1} << 63;
    index.images.back().bytes = ~uint32_t{0};
  });
  const auto report = verify_quietly(folder);
  EXPECT_TRUE(has_problem(report, "structure", "lies elsewhere than the index says"));
  EXPECT_FALSE(has_problem(report, "shard", "cannot read"));
}

}  // namespace
}  // namespace bn
