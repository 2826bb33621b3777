// One set of images in two parts.
#include "data/split.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "bn/dataset.hpp"
#include "data/file_reader.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

using Labels = std::vector<int32_t>;
using Keys = std::vector<uint64_t>;

// Contents of the chosen images.
std::set<uint64_t> chosen(const Labels& labels, const Keys& keys, const SplitOptions& options) {
  const std::vector<bool> is_chosen = choose_validation(labels, keys, options);
  std::set<uint64_t> contents;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (is_chosen[i]) contents.insert(keys[i]);
  }
  return contents;
}

int64_t count_of(const std::vector<bool>& is_chosen, const Labels& labels, int32_t label) {
  int64_t count = 0;
  for (size_t i = 0; i < labels.size(); ++i) count += is_chosen[i] && labels[i] == label ? 1 : 0;
  return count;
}

TEST(ChooseValidation, TakesTheShareOfEachClassAndNeverAllOfIt) {
  Labels labels;
  for (const auto& [label, count] : {std::pair{0, 50}, {1, 10}, {2, 3}, {3, 2}, {4, 1}}) {
    labels.insert(labels.end(), static_cast<size_t>(count), label);
  }
  Keys keys;
  for (size_t i = 0; i < labels.size(); ++i) keys.push_back(1000 + i);
  const std::vector<bool> fifth = choose_validation(labels, keys, {.validation = 0.2});
  const std::vector<bool> nearly_all = choose_validation(labels, keys, {.validation = 0.99});
  const std::array<int64_t, 5> expected{10, 2, 1, 1, 0}, expected_of_all{49, 9, 2, 1, 0};
  for (int32_t label = 0; label < 5; ++label) {
    EXPECT_EQ(count_of(fifth, labels, label), expected[static_cast<size_t>(label)]) << label;
    EXPECT_EQ(count_of(nearly_all, labels, label), expected_of_all[static_cast<size_t>(label)]) << label;
  }
}

TEST(ChooseValidation, KeepsCopiesOnOneSideAlsoAcrossClasses) {
  Labels labels;
  Keys keys;
  for (uint64_t i = 0; i < 300; ++i) {  // contents 0..99, each in three places
    labels.push_back(static_cast<int32_t>(i % 7));
    keys.push_back(i / 3);
  }
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<bool> is_chosen = choose_validation(labels, keys, {.validation = 0.3, .seed = seed});
    EXPECT_GT(std::count(is_chosen.begin(), is_chosen.end(), true), 30);
    for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(is_chosen[i], is_chosen[i / 3 * 3]) << i;
  }
}

TEST(ChooseValidation, DependsOnContentsAndSeedAlone) {
  Labels labels;
  Keys keys;
  for (uint64_t i = 0; i < 100; ++i) {
    labels.push_back(static_cast<int32_t>(i % 4));
    keys.push_back(i * 977);
  }
  const std::set<uint64_t> first = chosen(labels, keys, {.validation = 0.25});
  std::reverse(labels.begin(), labels.end());
  std::reverse(keys.begin(), keys.end());
  EXPECT_EQ(chosen(labels, keys, {.validation = 0.25}), first);
  EXPECT_NE(chosen(labels, keys, {.validation = 0.25, .seed = 2}), first);
}

TEST(ContentKey, IsOfTheBytesNotOfTheName) {
  const TemporaryFolder dir;
  Bytes large(200'000, 7);
  const auto key = [&](const Bytes& bytes) {
    const FileReader file(dir.write("file", bytes));
    return content_digest(file, 0, file.size(), Dataset::kKeyBytes, Dataset::kKeyParts);
  };
  const uint64_t of_large = key(large);
  EXPECT_EQ(key(large), of_large);
  large.front() = 8;
  EXPECT_NE(key(large), of_large);
  large.front() = 7, large.back() = 8;
  EXPECT_NE(key(large), of_large);
  large.back() = 7, large.push_back(7);
  EXPECT_NE(key(large), of_large);
  EXPECT_NE(key(bytes_of("a")), key(bytes_of("b")));
}

TEST(ContentDigest, IsOfTheWholeOrOfEightParts) {
  const TemporaryFolder dir;
  const auto digest = [&](const Bytes& bytes, int64_t most) {
    const FileReader file(dir.write("file", bytes));
    return content_digest(file, 0, file.size(), most, 8);
  };
  // Of 800 bytes, 80 are read in parts of 10, which begin at each seventh of 790.
  constexpr int64_t kSize = 800, kPart = 10;
  const Bytes plain(kSize, 7);
  for (int64_t at = 0; at < kSize; ++at) {
    Bytes other = plain;
    other[static_cast<size_t>(at)] = 8;
    bool is_read = false;
    for (int64_t i = 0; i < 8; ++i) is_read = is_read || (at >= 790 * i / 7 && at < 790 * i / 7 + kPart);
    EXPECT_EQ(digest(other, 8 * kPart) != digest(plain, 8 * kPart), is_read) << at;
    EXPECT_NE(digest(other, kSize), digest(plain, kSize)) << at;
  }
}

DataOptions split_options(DatasetKind kind, const std::string& path) {
  DataOptions options{.kind = kind};
  options.train = {path};
  options.split.validation = 0.25;
  return options;
}

// The bytes of the images begin with the name of their class.
std::set<std::string> contents_of(const DataOptions& options, Split split) {
  const std::unique_ptr<Dataset> set = open_dataset(options, split);
  std::set<std::string> contents;
  Bytes storage;
  for (int64_t i = 0; i < set->size(); ++i) {
    const Dataset::Sample sample = set->read(i, storage);
    const std::string text(reinterpret_cast<const char*>(sample.data), static_cast<size_t>(sample.bytes));
    EXPECT_TRUE(text.starts_with(set->class_names().at(static_cast<size_t>(set->label(i))))) << text;
    contents.insert(text);
  }
  return contents;
}

TEST(OpenDataset, SplitsFoldersAndTarsAlike) {
  const TemporaryFolder dir;
  std::vector<NamedBytes> members;
  for (const std::string name : {"ant", "bee"}) {
    for (int i = 0; i < 12; ++i) {
      const Bytes bytes = bytes_of(fmt::format("{} {}", name, i));
      dir.write(fmt::format("first/{}/{}.jpg", name, i), bytes);
      dir.write(fmt::format("renamed/{}/photo {}.jpg", name, 50 - i), bytes);
      members.push_back({fmt::format("set/{}/{}.jpg", name, 90 - i), bytes});
    }
  }
  const DataOptions folder = split_options(DatasetKind::kFolder, dir / "first");
  const std::set<std::string> training = contents_of(folder, Split::kTrain);
  const std::set<std::string> validation = contents_of(folder, Split::kValidation);
  EXPECT_EQ(training.size(), 18U);
  EXPECT_EQ(validation.size(), 6U);
  for (const std::string& image : validation) EXPECT_EQ(training.count(image), 0U) << image;
  EXPECT_EQ(contents_of(split_options(DatasetKind::kFolder, dir / "renamed"), Split::kValidation), validation);
  const DataOptions tar = split_options(DatasetKind::kTar, dir.write("set.tar", tar_of(members)));
  EXPECT_EQ(contents_of(tar, Split::kValidation), validation);
  EXPECT_EQ(contents_of(tar, Split::kTrain), training);
  EXPECT_EQ(open_dataset(tar, Split::kTrain)->shard_sizes(), std::vector<int64_t>{18});
}

TEST(OpenDataset, SaysThatNothingCanBeSparedForValidation) {
  const TemporaryFolder dir;
  dir.write("set/ant/1.jpg", "ant");
  dir.write("set/bee/1.jpg", "bee");
  dir.write("set/bee/copy.jpg", "bee");
  const DataOptions options = split_options(DatasetKind::kFolder, dir / "set");
  EXPECT_EQ(open_dataset(options, Split::kTrain)->size(), 3);
  EXPECT_EQ(error_message<DataError>([&] { open_dataset(options, Split::kValidation); }),
            "no image can be spared for validation: each class has one image, or copies of one; add images");
}

TEST(SelectImages, KeepsWhatTheSetSaysOfThem) {
  auto whole = std::make_unique<RawSet>(6, 2, 1);
  whole->shards = {2, 1, 3};
  const std::unique_ptr<Dataset> some = select_images(std::move(whole), {1, 3, 5}, {.count = 1, .names = {"x"}});
  EXPECT_EQ(some->size(), 3);
  EXPECT_EQ(some->name(1), "raw/3");
  EXPECT_EQ(some->label(2), 5);
  EXPECT_EQ(some->shard_sizes(), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(some->left_out().count, 1);
}

}  // namespace
}  // namespace bn
