// One bit of a file differs from what was written: it is found, and never computed with.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "bn/error.hpp"
#include "cli/program.hpp"
#include "faults/campaign.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

namespace fs = std::filesystem;

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
  ASSERT_EQ(bn_data({"shapes", "--out", root / "shapes", "--size", "24", "--images", "30", "--validation-images", "20"})
                .exit_code,
            0);
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
