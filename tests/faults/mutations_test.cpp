// Damaged files. Those of people: an answer, or an error that names the place; no crash, no hang. Our own, of which one
// bit is another than was written: it is found, and never computed with.
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <filesystem>
#include <set>

#include "bn/error.hpp"
#include "cli/program.hpp"
#include "faults/campaign.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* kOutcomes[] = {"accepted", "failed", "refused (2)", "refused", "refused (4)", "refused (5)"};

void expect_answer(const ProgramResult& result, const std::vector<int>& codes, const std::string& what, Tally& tally) {
  EXPECT_EQ(what_is_wrong(result), "") << what;
  EXPECT_TRUE(std::find(codes.begin(), codes.end(), result.exit_code) != codes.end())
      << what << ": exit code " << result.exit_code << ": " << result.err;
  tally.add(result.exit_code >= 0 && result.exit_code < 6 ? kOutcomes[result.exit_code] : "wrong");
}

// Keeps the file that was not answered.
void keep_if_failed(const std::string& bytes, const std::string& name) {
  const char* folder = std::getenv("BN_FAULT_KEEP");
  if (folder != nullptr && testing::Test::HasFailure()) write_bytes(fmt::format("{}/{}", folder, name), bytes);
}

TEST(Mutated, Configurations) {
  const TemporaryFolder root;
  fs::copy(BN_SOURCE_DIR "/configs", root / "configs", fs::copy_options::recursive);
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root / "configs")) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  std::mt19937_64 random(first_seed());
  Tally tally("mutated configurations");
  for (int64_t i = 0; i < trials(40); ++i) {
    const std::string& path = files[random() % files.size()];
    const std::string sound = read_bytes(path);
    std::string bytes = sound;
    mutate(bytes, random);
    write_bytes(path, bytes);
    const ProgramResult result = bninception({"config", "show", path});
    expect_answer(result, {0, 3}, path, tally);
    EXPECT_TRUE(result.exit_code == 0 || result.err.find(".yaml") != std::string::npos) << result.err;
    keep_if_failed(bytes, fmt::format("{}.yaml", i));
    write_bytes(path, sound);
  }
}

// Makes the checksum right again, so that a reader looks at the rest.
void seal(std::string& tar, size_t header) {
  constexpr size_t kSum = 148, kSumBytes = 8, kHeader = 512;
  tar.replace(header + kSum, kSumBytes, kSumBytes, ' ');
  unsigned sum = 0;
  for (size_t i = 0; i < kHeader; ++i) sum += static_cast<unsigned char>(tar[header + i]);
  tar.replace(header + kSum, kSumBytes - 1, fmt::format("{:06o}", sum) + '\0');
}

// A tar of images, and each image by itself.
class MutatedImages : public testing::Test {
 protected:
  MutatedImages() {
    write_shapes(root_ / "shapes", 24, 20, 20);
    EXPECT_EQ(bn_data({"pack", "folder", "--train", root_ / "shapes/train", "--out", root_ / "packed", "--shards", "1",
                       "--resize-shorter", "20"})
                  .exit_code,
              0);
    tar_ = read_bytes(root_ / "packed/train-00000.tar");
  }
  ProgramResult pack(const std::string& source) const {
    fs::remove_all(root_ / "out");
    return bn_data({"pack", "folder", "--train", source, "--out", root_ / "out", "--shards", "1"});
  }

  TemporaryFolder root_;
  std::string tar_;
};

TEST_F(MutatedImages, InATar) {
  std::mt19937_64 random(first_seed());
  Tally tally("mutated tars");
  for (int64_t i = 0; i < trials(6); ++i) {
    std::string bytes = tar_;
    // The headers take most of the meaning and few of the bytes.
    switch (i % 3) {
      case 0:
        mutate(bytes, random);
        break;
      case 1:
        flip_bit(bytes, random);
        break;
      default: {
        std::vector<size_t> headers;
        for (size_t block = 0; block + 512 <= bytes.size(); block += 512) {
          if (bytes.compare(block + 257, 5, "ustar") == 0) headers.push_back(block);
        }
        const size_t header = headers[random() % headers.size()];
        bytes[header + random() % 512] = static_cast<char>(random());
        seal(bytes, header);
      }
    }
    write_bytes(root_ / "made.tar", bytes);
    expect_answer(pack(root_ / "made.tar"), {0, 4}, "tar", tally);
    keep_if_failed(bytes, fmt::format("{}.tar", i));
  }
}

TEST_F(MutatedImages, AsFiles) {
  std::vector<std::string> images;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "shapes/train")) {
    if (entry.is_regular_file()) images.push_back(entry.path().string());
  }
  std::sort(images.begin(), images.end());
  const std::string jpeg = tar_.substr(tar_.find("\xff\xd8\xff"));
  fs::create_directories(root_ / "one/a");
  std::mt19937_64 random(first_seed());
  Tally tally("mutated JPEG and PNG files");
  for (int64_t i = 0; i < trials(6); ++i) {
    std::string bytes =
        i % 2 == 0 ? jpeg.substr(0, jpeg.find("\xff\xd9") + 2) : read_bytes(images[random() % images.size()]);
    mutate(bytes, random);
    write_bytes(root_ / "one/a/1.jpg", bytes);
    expect_answer(pack(root_ / "one"), {0, 4}, "image", tally);
    keep_if_failed(bytes, fmt::format("{}.jpg", i));
  }
}

TEST(Mutated, IdxFiles) {
  const Experiment experiment({"data.kind=mnist", "train.steps=1", "train.batch=4"});
  std::string images("\0\0\x08\x03\0\0\0\x14\0\0\0\x10\0\0\0\x10", 16), labels("\0\0\x08\x01\0\0\0\x14", 8);
  for (int i = 0; i < 20; ++i) {
    images += std::string(256, static_cast<char>(i));
    labels += static_cast<char>(i % 10);
  }
  write_bytes(experiment / "labels", labels);
  std::mt19937_64 random(first_seed());
  Tally tally("mutated idx files");
  for (int64_t i = 0; i < trials(6); ++i) {
    std::string damaged_images = images, damaged_labels = labels;
    mutate(i % 2 == 0 ? damaged_images : damaged_labels, random);
    if (i % 4 < 2) damaged_images[random() % 16] = static_cast<char>(random());
    write_bytes(experiment / "images", damaged_images);
    write_bytes(experiment / "labels", damaged_labels);
    fs::remove_all(experiment / "run");
    const std::string paths = fmt::format("[{}, {}]", experiment / "images", experiment / "labels");
    expect_answer(
        run_program(experiment.train("run", {"--set", "data.train=" + paths, "--set", "data.validation=" + paths})),
        {0, 3, 4}, "idx", tally);
    keep_if_failed(damaged_images, fmt::format("{}.images", i));
  }
}

TEST(Mutated, Logs) {
  const Experiment experiment;
  ASSERT_EQ(run_program(experiment.train("run")).exit_code, 0);
  const std::string path = experiment / "run/log.jsonl", sound = read_bytes(path);
  std::mt19937_64 random(first_seed());
  Tally tally("mutated logs");
  for (int64_t i = 0; i < trials(2); ++i) {
    std::string bytes = sound;
    mutate(bytes, random);
    write_bytes(path, bytes);
    expect_answer(bninception({"report", experiment / "run", "--out", experiment / "report", "--keep"}), {0, 4}, "log",
                  tally);
    keep_if_failed(bytes, fmt::format("{}.jsonl", i));
  }
}

// Evaluating it is refused; resuming takes the checkpoint before it, to the same end.
TEST(FlippedBits, OfACheckpoint) {
  const Experiment experiment;
  ASSERT_EQ(run_program(experiment.train("reference")).exit_code, 0);
  const auto reference = experiment.result("reference");
  const std::string newest = experiment / "run/checkpoints/step_000000040.safetensors";
  std::mt19937_64 random(first_seed());
  Tally tally("flipped bits of a checkpoint");
  for (int64_t i = 0; i < trials(4); ++i) {
    fs::remove_all(experiment / "run");
    fs::copy(experiment / "reference", experiment / "run", fs::copy_options::recursive);
    std::string bytes = read_bytes(newest);
    flip_bit(bytes, random);
    write_bytes(newest, bytes);
    const ProgramResult evaluated = bninception({"evaluate", newest});
    EXPECT_EQ(evaluated.exit_code, code(ExitCode::kCheckpoint)) << i << evaluated.out << evaluated.err;
    if (i % 2 != 0) {
      tally.add("refused");
      continue;
    }
    const ProgramResult resumed = run_program(experiment.resume("run"));
    EXPECT_EQ(resumed.exit_code, 0) << i << resumed.err;
    EXPECT_CONTAINS(resumed.err, "is damaged");
    EXPECT_TRUE(experiment.result("run") == reference) << i;
    tally.add("refused, and resumed from the one before it");
  }
}

TEST(FlippedBits, OfAPackedSet) {
  const TemporaryFolder root;
  write_shapes(root / "shapes", 24, 30, 20);
  ASSERT_EQ(bn_data({"pack", "folder", "--train", root / "shapes/train", "--val", root / "shapes/validation", "--out",
                     root / "packed", "--shards", "2"})
                .exit_code,
            0);
  const std::set<std::string> names = names_in(root / "packed");
  const std::vector<std::string> all(names.begin(), names.end());
  std::mt19937_64 random(first_seed());
  Tally tally("flipped bits of shards, indexes and class names");
  for (int64_t i = 0; i < trials(7); ++i) {
    const std::string& name = all[static_cast<size_t>(i) % all.size()];
    const std::string path = root / ("packed/" + name), sound = read_bytes(path);
    std::string bytes = sound;
    flip_bit(bytes, random);
    write_bytes(path, bytes);
    const ProgramResult verified = bn_data({"verify", root / "packed"});
    EXPECT_EQ(verified.exit_code, code(ExitCode::kData)) << name << verified.out << verified.err;
    tally.add(name.ends_with(".tar")     ? "found in shards"
              : name.ends_with(".index") ? "found in indexes"
                                         : "found in names");
    write_bytes(path, sound);
  }
}

}  // namespace
}  // namespace bn::test
