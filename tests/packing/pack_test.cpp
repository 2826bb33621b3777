#include "packing/pack.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <set>

#include "bn/loader.hpp"
#include "data/decode.hpp"
#include "data/tar.hpp"
#include "packing/encode.hpp"
#include "packing/fixtures.hpp"
#include "packing/image_packer.hpp"
#include "support/child_process.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

// One image under many names.
class RepeatedImage final : public Dataset {
 public:
  RepeatedImage(const Bytes& file, int64_t count) : file_(file), count_(count) {}
  int64_t size() const override { return count_; }
  int32_t label(int64_t) const override { return 0; }
  std::string name(int64_t index) const override { return "a/" + std::to_string(index) + ".jpg"; }
  const std::vector<std::string>& class_names() const override { return names_; }
  Sample read(int64_t, std::vector<uint8_t>&) const override {
    return {.data = file_.data(), .bytes = static_cast<int64_t>(file_.size())};
  }

 private:
  const Bytes& file_;
  const int64_t count_;
  const std::vector<std::string> names_{"a"};
};

std::string text_of(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

class Pack : public testing::Test {
 protected:
  std::set<std::string> members_of(const std::string& tar) const {
    std::set<std::string> names;
    for (const TarMember& member : list_tar(FileReader(dir_ / tar))) names.insert(member.path);
    return names;
  }

  const TemporaryFolder dir_;
};

TEST_F(Pack, KeepsEveryFileAndItsLabel) {
  const auto source = made_set(dir_, 30);
  const auto summary = pack_quietly(*source, {.out = dir_ / "out", .shards = 4, .workers = 3});
  EXPECT_EQ(summary.images, 30);
  EXPECT_EQ(summary.shards, 4);
  EXPECT_EQ(summary.left_out, 0);
  EXPECT_EQ(names_in(dir_ / "out"), (std::set<std::string>{"classes.txt", "train-00000.tar", "train-00001.tar",
                                                           "train-00002.tar", "train-00003.tar", "train.index"}));
  const auto packed = open_dataset(packed_options(dir_ / "out"), Split::kTrain);
  EXPECT_EQ(packed->size(), 30);
  EXPECT_EQ(packed->class_names(), (std::vector<std::string>{"a", "b"}));
  std::multiset<std::pair<std::string, int32_t>> before, after;
  for (int64_t i = 0; i < 30; ++i) {
    before.emplace(text_of(sample_bytes(*source, i)), source->label(i));
    after.emplace(text_of(sample_bytes(*packed, i)), packed->label(i));
  }
  EXPECT_TRUE(before == after);
}

TEST_F(Pack, ShardsArePlainTarsOfImagesAndLabels) {
  pack_quietly(*made_set(dir_, 6), {.out = dir_ / "out", .shards = 2});
  const FileReader shard(dir_ / "out/train-00001.tar");
  const auto members = list_tar(shard);
  ASSERT_EQ(members.size(), 6U);
  for (size_t i = 0; i < members.size(); i += 2) {
    const std::string image = members[i].path, key = image.substr(0, image.size() - 4);
    EXPECT_EQ(image, key + ".jpg");
    EXPECT_EQ(members[i + 1].path, key + ".cls");
    uint8_t digit = 0;
    ASSERT_EQ(members[i + 1].size, 1);
    shard.read(members[i + 1].offset, 1, &digit);
    EXPECT_EQ(digit, key[0] == 'a' ? '0' : '1');
  }
}

TEST_F(Pack, ImagesAreSpreadEvenlyAtRandom) {
  const auto source = made_set(dir_, 26);
  pack_quietly(*source, {.out = dir_ / "four", .shards = 4});
  EXPECT_EQ(open_dataset(packed_options(dir_ / "four"), Split::kTrain)->shard_sizes(),
            (std::vector<int64_t>{6, 7, 6, 7}));
  constexpr int64_t kSeeds = 20;
  int64_t alike = 0;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    const std::string out = dir_ / ("out" + std::to_string(seed));
    pack_quietly(*source, {.out = out, .shards = 1, .seed = seed});
    const auto packed = open_dataset(packed_options(out), Split::kTrain);
    for (int64_t i = 1; i < 26; ++i) alike += packed->label(i) == packed->label(i - 1) ? 1 : 0;
  }
  // Neighbours are of the same class as often as any two: 12 of 25 times, where those of the source are 24 of 25 times.
  EXPECT_NEAR(static_cast<double>(alike) / (25 * kSeeds), 12.0 / 25, 0.1);
}

TEST_F(Pack, TheSameSeedGivesTheSameBytesWhateverTheThreads) {
  const auto source = made_set(dir_, 20);
  pack_quietly(*source, {.out = dir_ / "one", .shards = 5, .workers = 1});
  pack_quietly(*source, {.out = dir_ / "many", .shards = 5, .workers = 4});
  pack_quietly(*source, {.out = dir_ / "other", .shards = 5, .seed = 2});
  EXPECT_TRUE(contents_of(dir_ / "one") == contents_of(dir_ / "many"));
  EXPECT_FALSE(contents_of(dir_ / "one") == contents_of(dir_ / "other"));
}

TEST_F(Pack, ARunThatStoppedIsContinuedToTheSameBytes) {
  const auto source = made_set(dir_, 20);
  const PackOptions whole{.out = dir_ / "whole", .shards = 5};
  pack_quietly(*source, whole);
  PackOptions broken = whole;
  broken.out = dir_ / "broken";
  for (const int64_t stop_at : {1, 7, 13}) {
    EXPECT_THROW(pack(*source, broken,
                      [&](const PackProgress& progress) {
                        if (progress.images - progress.found >= stop_at) throw std::runtime_error("stopped");
                      }),
                 std::runtime_error);
  }
  dir_.write("broken/train-00002.tar.tmp.99999", "left by a killed process");
  PackSummary summary = pack_quietly(*source, broken);
  EXPECT_GT(summary.shards_found, 0);
  EXPECT_LT(summary.shards_found, 5);
  auto contents = contents_of(dir_ / "broken");
  contents.erase("train-00002.tar.tmp.99999");
  EXPECT_TRUE(contents == contents_of(dir_ / "whole"));
  summary = pack_quietly(*source, broken);  // nothing left to do
  EXPECT_EQ(summary.shards_found, 5);
  EXPECT_EQ(summary.images, 20);
}

TEST_F(Pack, AFolderOfAnotherSetIsRefused) {
  const TemporaryFolder other_dir;
  pack_quietly(*made_set(dir_, 6), {.out = dir_ / "out", .shards = 2});
  EXPECT_EQ(
      error_message<DataError>([&] { pack_quietly(*made_set(other_dir, 8), {.out = dir_ / "out", .shards = 2}); }),
      dir_ / "out" +
          " holds a train set that was packed from other images or with other options; pack into "
          "an empty folder");
  EXPECT_CONTAINS(
      error_message<DataError>([&] { pack_quietly(*made_set(dir_, 6), {.out = dir_ / "out", .shards = 3}); }),
      "with other options");
  EXPECT_EQ(error_message<DataError>([&] {
              pack_quietly(*made_set(dir_, 6), {.out = dir_ / "out", .class_lines = {"c", "d"}});
            }),
            dir_ / "out/classes.txt" + " names other classes than this set has; pack into an empty folder");
}

TEST_F(Pack, CountsWhatIsOutOfTheOrdinary) {
  if (!has_imgcodecs()) GTEST_SKIP() << "this build has no imgcodecs to read a PNG with";
  Image gray;
  gray.reshape(20, 20, 1);
  Bytes stray = jpeg_image(40, 40, 2);
  stray.insert(stray.end() - 2, {1, 2, 3});
  const auto source = made_set(dir_, 4,
                               {{"b/gray.jpg", encode_jpeg(gray.view(), 90)},
                                {"b/inks.jpg", cmyk_jpeg_image(16, 16, {1, 2, 3, 4})},
                                {"b/called.jpg", png_image(16, 16, 1)},
                                {"b/stray.jpg", stray}});
  const auto summary = pack_quietly(*source, {.out = dir_ / "out", .shards = 1});
  EXPECT_EQ(summary.traits, (TraitCounts{1, 1, 1, 0, 0, 1}));
  const std::set<std::string> names = members_of("out/train-00000.tar");
  EXPECT_TRUE(names.contains("b/called.png"));  // named by its content
}

TEST_F(Pack, AnUndecodableImageFailsOrIsLeftOut) {
  const auto source = made_set(dir_, 6, {{"b/cut.jpg", first_part(jpeg_image(40, 40, 3), 0.7)}, {"b/empty.jpg", {}}});
  PackOptions options{.out = dir_ / "out", .shards = 2};
  EXPECT_CONTAINS(error_message<DataError>([&] { pack_quietly(*source, options); }),
                  "; --on-corrupt skip would pack the others");
  options.on_corrupt = OnCorrupt::kSkip;  // goes on in the same folder
  const auto summary = pack_quietly(*source, options);
  EXPECT_EQ(summary.images, 6);
  EXPECT_EQ(summary.left_out, 2);
  EXPECT_EQ(open_dataset(packed_options(dir_ / "out"), Split::kTrain)->size(), 6);
}

TEST_F(Pack, ResizesLargerImagesOnly) {
  const auto source =
      made_set(dir_, 0, {{"a/large.jpg", jpeg_image(120, 200, 1)}, {"a/small.jpg", jpeg_image(30, 90, 2)}});
  pack_quietly(*source, {.out = dir_ / "out", .shards = 1, .resize_shorter = 60});
  const auto packed = open_dataset(packed_options(dir_ / "out"), Split::kTrain);
  for (int64_t i = 0; i < 2; ++i) {
    const Bytes bytes = sample_bytes(*packed, i);
    const Image image = decode(bytes);
    if (packed->name(i).find("large") != std::string::npos) {
      EXPECT_EQ(image.height, 60);
      EXPECT_EQ(image.width, 100);
      const Image whole = decode(jpeg_image(120, 200, 1));
      EXPECT_NEAR(image.pixels[(30 * 100 + 50) * 3], whole.pixels[(60 * 200 + 100) * 3], 4);
    } else {
      EXPECT_EQ(bytes, jpeg_image(30, 90, 2));
    }
  }
}

TEST_F(Pack, DecodedSetsTrainOnTheirPixels) {
  const auto source = made_set(dir_, 8);
  pack_quietly(*source, {.out = dir_ / "out", .shards = 2, .decoded_size = 24});
  const auto packed = open_dataset(packed_options(dir_ / "out"), Split::kTrain);
  std::vector<uint8_t> storage;
  const auto sample = packed->read(3, storage);
  EXPECT_EQ(sample.raw_height, 24);
  EXPECT_EQ(sample.raw_channels, 3);
  EXPECT_TRUE(packed->name(3).ends_with(".rgb"));
  // Evaluation of the source at that size gives the same pixels.
  DataOptions options = packed_options(dir_ / "out");
  options.image_size = 24;
  options.resize_shorter = 24;
  Loader from_pixels(*packed, options, {.batch = 8, .split = Split::kValidation});
  Loader from_files(*source, options, {.batch = 8, .split = Split::kValidation});
  Batch pixels, files;
  ASSERT_TRUE(from_pixels.next(pixels) && from_files.next(files));
  std::multiset<std::string> a, b;
  for (int64_t i = 0; i < 8; ++i) {
    const auto *p = pixels.images.as<uint8_t>() + i * 24 * 24 * 3, *f = files.images.as<uint8_t>() + i * 24 * 24 * 3;
    a.emplace(p, p + 24 * 24 * 3);
    b.emplace(f, f + 24 * 24 * 3);
  }
  EXPECT_TRUE(a == b);
}

TEST_F(Pack, RefusesOptionsThatMakeNoSense) {
  const auto source = made_set(dir_, 2);
  const auto message = [&](PackOptions options) {
    options.out = dir_ / "out";
    return error_message<ConfigError>([&] { pack_quietly(*source, options); });
  };
  EXPECT_EQ(message({.shards = 0}), "pack: the number of shards must be 1 to 65536");
  EXPECT_EQ(message({.resize_shorter = -1}), "pack: resize-shorter must be 0 to 4096");
  EXPECT_EQ(message({.resize_shorter = 64, .decoded_size = 64}), "pack: resize-shorter and decoded exclude each other");
  EXPECT_EQ(message({.decoded_size = 5000}), "pack: decoded must be 0 to 4096");
  EXPECT_EQ(message({.quality = 101}), "pack: quality must be 1 to 100");
  EXPECT_EQ(message({.workers = 0}), "pack: there must be at least one worker");
}

TEST_F(Pack, RefusesAClassWithASpaceInItsName) {
  const auto source = made_set(dir_, 2, {{"ice cream/1.jpg", jpeg_image(20, 20, 1)}});
  EXPECT_EQ(error_message<DataError>([&] { pack_quietly(*source, {.out = dir_ / "out"}); }),
            "the class 'ice cream' cannot be packed: classes.txt ends a name at the first space; rename its folder "
            "(ice_cream)");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out"));
}

TEST_F(Pack, AnImageReplacedUnderItsNameIsAnotherSet) {
  const PackOptions options{.out = dir_ / "out", .shards = 2};
  pack_quietly(*made_set(dir_, 4, {{"b/x.jpg", jpeg_image(40, 40, 1)}}), options);
  EXPECT_CONTAINS(error_message<DataError>([&] {
                    pack_quietly(*made_set(dir_, 4, {{"b/x.jpg", jpeg_image(48, 48, 2)}}), options);
                  }),
                  "was packed from other images or with other options; pack into an empty folder");
  for (const auto& [name, seed] : {std::pair{"1", 1}, {"2", 2}}) {
    dir_.write(std::string("folder/") + name + "/x.jpg", jpeg_image(40, 40, seed));
  }
  const DataOptions folder{.kind = DatasetKind::kFolder, .train = {dir_ / "folder"}};
  PackOptions other = options;
  other.out = dir_ / "other";
  pack_quietly(*open_dataset(folder, Split::kTrain), other);
  dir_.write("folder/1/x.jpg", jpeg_image(48, 48, 2));
  EXPECT_CONTAINS(error_message<DataError>([&] { pack_quietly(*open_dataset(folder, Split::kTrain), other); }),
                  "from other images");
}

TEST_F(Pack, AShardThatWasLostIsPackedAgain) {
  const auto source = made_set(dir_, 12);
  const PackOptions options{.out = dir_ / "out", .shards = 4};
  pack_quietly(*source, options);
  const auto whole = contents_of(dir_ / "out");
  std::filesystem::remove(dir_ / "out/train-00001.tar");
  write_bytes(dir_ / "out/train-00003.tar", whole.at("train-00003.tar").substr(0, 3000));
  EXPECT_EQ(pack_quietly(*source, options).shards_found, 2);
  EXPECT_TRUE(contents_of(dir_ / "out") == whole);
  // A lost shard is made again before the set is complete, too: its parts are there, the shard is not.
  EXPECT_THROW(pack(*source, {.out = dir_ / "broken", .shards = 4},
                    [&](const PackProgress& progress) {
                      if (progress.images == 10) throw std::runtime_error("stopped");
                    }),
               std::runtime_error);
  std::filesystem::remove(dir_ / "broken/train-00002.tar");
  EXPECT_EQ(pack_quietly(*source, {.out = dir_ / "broken", .shards = 4}).shards_found, 2);
  EXPECT_TRUE(contents_of(dir_ / "broken") == whole);
}

TEST_F(Pack, NamesAreToldApart) {
  const auto source = made_set(dir_, 4,
                               {{"b/d1/x.jpg", jpeg_image(20, 20, 1)},
                                {"b/d2/x.jpg", jpeg_image(20, 20, 2)},
                                {"b/x.jpeg", jpeg_image(20, 20, 3)},
                                {"a/x.jpg", jpeg_image(20, 20, 4)}});
  pack_quietly(*source, {.out = dir_ / "out", .shards = 1});
  const std::set<std::string> names = members_of("out/train-00000.tar");
  EXPECT_EQ(names.size(), 16U);  // an image and its label each
  EXPECT_TRUE(names.contains("a/x.jpg"));
  EXPECT_TRUE(names.contains("b/x-5.jpg"));
  EXPECT_TRUE(names.contains("b/x-5.cls"));
}

// x.y and x_y become one key, so they get numbers; x_y-3 is the name of an image, too.
TEST_F(Pack, ANumberedNameIsNoOtherImagesName) {
  std::vector<NamedBytes> files{{"b/x.y.jpg", jpeg_image(20, 20, 1)}, {"b/x_y.jpg", jpeg_image(20, 20, 2)}};
  for (int i = 0; i < 8; ++i) files.push_back({fmt::format("b/x_y-{}.jpg", i), jpeg_image(20, 20, 3 + i)});
  const auto source = made_set(dir_, 0, files);
  const int64_t images = source->size();
  pack_quietly(*source, {.out = dir_ / "out", .shards = 1});
  const std::set<std::string> names = members_of("out/train-00000.tar");
  EXPECT_EQ(names.size(), static_cast<size_t>(2 * images));
}

TEST_F(Pack, RefusesAFileTooLargeForTheIndex) {
  const Bytes bytes = jpeg_image(20, 20, 1);
  ImagePacker packer(PackOptions{});
  EXPECT_EQ(error_message<DataError>([&] { packer.inspect(bytes.data(), int64_t{1} << 31); }),
            "the file has 2147483648 bytes, too many for one image");
}

Bytes noise_jpeg() {
  Image image;
  image.reshape(400, 400, 3);
  uint32_t state = 1;
  for (uint8_t& value : image.pixels) value = static_cast<uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return encode_jpeg(image.view(), 98);
}

TEST_F(Pack, TakesMemoryForAFewImagesOnly) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer keeps freed memory for a while";
#endif
  const Bytes jpeg = noise_jpeg();
  constexpr int64_t kImages = 400;
  ASSERT_GT(kImages * static_cast<int64_t>(jpeg.size()), int64_t{60} << 20);
  const std::string grown = result_in_child([&] {
    const auto peak_after = [&](int64_t count, const char* out) {
      RepeatedImage set(jpeg, count);
      pack_quietly(set, {.out = dir_ / out, .shards = 1});
      rusage usage{};
      getrusage(RUSAGE_SELF, &usage);
      return usage.ru_maxrss / 1024;  // MB
    };
    const auto before = peak_after(10, "few");
    return std::to_string(peak_after(kImages, "many") - before);
  });
  EXPECT_LT(std::stoll(grown), 20);
}

TEST_F(Pack, AnImageOfEqualSizeIsAnotherSetToo) {
  const PackOptions options{.out = dir_ / "out", .shards = 1};
  Bytes image = jpeg_image(40, 40, 1);
  const auto set_with = [&] { return made_set(dir_, 4, {{"b/x.jpg", image}}); };
  pack_quietly(*set_with(), options);
  EXPECT_EQ(pack_quietly(*set_with(), options).shards_found, 1);
  constexpr size_t kDensity = 14;  // of the header; it changes no pixel
  image[kDensity] ^= 1;
  EXPECT_CONTAINS(error_message<DataError>([&] { pack_quietly(*set_with(), options); }), "from other images");
}

TEST_F(Pack, AnImageWithAnotherMiddleIsAnother) {
  const PackOptions options{.out = dir_ / "out", .shards = 1};
  Bytes comment{0xFF, 0xFE, 0xEA, 0x60}, image = jpeg_image(40, 40, 1);  // of 60,000 bytes
  comment.resize(60'002, 'x');
  for (int i = 0; i < 3; ++i) image.insert(image.begin() + 2, comment.begin(), comment.end());
  const auto set_with = [&] { return made_set(dir_, 4, {{"b/x.jpg", image}}); };
  pack_quietly(*set_with(), options);
  EXPECT_EQ(pack_quietly(*set_with(), options).shards_found, 1);
  image[image.size() / 2] = 'y';
  EXPECT_CONTAINS(error_message<DataError>([&] { pack_quietly(*set_with(), options); }), "from other images");
}

TEST_F(Pack, PixelsThatWerePackedAnewHaveAnotherFingerprint) {
  const auto fingerprint_with = [&](const std::string& out, int seed) {
    pack_quietly(*made_set(dir_, 0, {{"a/1.jpg", jpeg_image(30, 30, seed)}, {"b/2.jpg", jpeg_image(30, 30, 9)}}),
                 {.out = dir_ / out, .shards = 1, .decoded_size = 16});
    return fingerprint(*open_dataset(packed_options(dir_ / out), Split::kTrain));
  };
  const std::string before = fingerprint_with("1", 1), after = fingerprint_with("2", 2);
  EXPECT_EQ(fingerprint_with("3", 1), before);
  EXPECT_EQ(after.substr(0, 16), before.substr(0, 16));
  EXPECT_NE(after, before);
}

TEST_F(Pack, LeavesFilesAloneThatItDidNotMake) {
  const auto source = made_set(dir_, 4);
  dir_.write("out/train-notes.tmp.5", "a user's");
  dir_.write("out/train.index.tmp.5.0", "left by a killed process");
  dir_.write("out/train-00000.tar", "a user's");
  EXPECT_EQ(error_message<DataError>([&] { pack_quietly(*source, {.out = dir_ / "out", .shards = 1}); }),
            dir_ / "out/train-00000.tar" + " is there and was not made by bn-data pack; pack into an empty folder");
  EXPECT_EQ(names_in(dir_ / "out"), (std::set<std::string>{"classes.txt", "train-00000.tar", "train-notes.tmp.5"}));
  EXPECT_EQ(read_bytes(dir_ / "out/train-00000.tar"), "a user's");
}

TEST_F(Pack, TwoAtATimeDoNotShareAFolder) {
  const auto source = made_set(dir_, 4);
  const PackOptions options{.out = dir_ / "out", .shards = 2};
  std::string message;
  pack(*source, options, [&](const PackProgress& progress) {
    if (progress.images == 1) message = error_message<StorageError>([&] { pack_quietly(*source, options); });
  });
  EXPECT_EQ(message, "'" + dir_ / "out" + "' is in use: another process packs into it; wait until it has ended");
  EXPECT_EQ(pack_quietly(*source, options).shards_found, 2);
}

TEST_F(Pack, AClassOfWhichNothingCanBeDecodedIsAnError) {
  const auto source = made_set(dir_, 4, {{"c/1.jpg", first_part(jpeg_image(40, 40, 3), 0.7)}, {"c/2.jpg", {}}});
  EXPECT_EQ(error_message<DataError>(
                [&] { pack_quietly(*source, {.out = dir_ / "out", .shards = 2, .on_corrupt = OnCorrupt::kSkip}); }),
            "none of the 2 images of the class 'c' can be decoded, so the train set would lack it: mend them, or name "
            "the other classes in a file (--classes)");
  EXPECT_FALSE(std::filesystem::exists(dir_ / "out/train.index"));
}

TEST_F(Pack, TurnsWhatItEncodesAnewIfAsked) {
  constexpr uint8_t kQuarterTurn = 6;
  const auto source = made_set(dir_, 0, {{"a/1.jpg", with_orientation(jpeg_image(40, 80, 1), kQuarterTurn)}});
  const auto packed = [&](const char* out, ExifOrientation orientation) {
    pack_quietly(*source, {.out = dir_ / out, .shards = 1, .resize_shorter = 20, .exif_orientation = orientation});
    return read_index(dir_ / out + "/train.index").images.at(0);
  };
  const PackedImage ignored = packed("ignored", ExifOrientation::kIgnore);
  EXPECT_EQ(ignored.width, 40);
  EXPECT_EQ(ignored.traits, kTraitTurned | kTraitTurnLost);
  const PackedImage applied = packed("applied", ExifOrientation::kApply);
  EXPECT_EQ(applied.width, 20);
  EXPECT_EQ(applied.traits, kTraitTurned);
  DataOptions options = packed_options(dir_ / "ignored");
  EXPECT_NO_THROW(open_dataset(options, Split::kTrain));
  options.exif_orientation = ExifOrientation::kApply;
  EXPECT_CONTAINS(error_message<DataError>([&] { open_dataset(options, Split::kTrain); }),
                  "1 of the images of " + dir_ / "ignored/train.index" + " were encoded anew without being turned");
  options.train = {dir_ / "applied"};
  EXPECT_NO_THROW(open_dataset(options, Split::kTrain));
}

}  // namespace
}  // namespace bn
