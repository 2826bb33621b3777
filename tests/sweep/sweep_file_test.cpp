#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "sweep/fixtures.hpp"

namespace bn::test {
namespace {

using testing::Test;

std::vector<std::string> folders_of(const Sweep& sweep) {
  std::vector<std::string> folders;
  for (const SweepRun& run : sweep.runs) folders.push_back(run.folder);
  return folders;
}

TEST(SweepFile, AllArmsOfASeedComeBeforeTheNextSeed) {
  const SweepFolder folder;
  folder.write("batch_norm.yaml", "base: plain.yaml\ntrain: {l2: 0.5}\n");
  const Sweep sweep = load_sweep(folder.sweep("name: two\nconfigs: [plain.yaml, batch_norm.yaml]\nseeds: [3, 4]\n"));
  EXPECT_EQ(sweep.name, "two");
  EXPECT_EQ(sweep.baseline, "plain");
  EXPECT_EQ(folders_of(sweep),
            (std::vector<std::string>{"plain/seed_3", "batch_norm/seed_3", "plain/seed_4", "batch_norm/seed_4"}));
  EXPECT_EQ(sweep.runs[1].config.train.seed, 3U);
  EXPECT_DOUBLE_EQ(sweep.runs[1].config.train.l2, 0.5);
  EXPECT_EQ(sweep.runs[3].config_path, folder / "batch_norm.yaml");
}

TEST(SweepFile, WithoutSeedsEachConfigurationKeepsItsOwn) {
  const SweepFolder folder;
  folder.write("other.yaml", "base: plain.yaml\ntrain: {seed: 7}\n");
  const Sweep sweep = load_sweep(folder.sweep("name: own\nconfigs: [plain.yaml, other.yaml]\n"));
  EXPECT_EQ(folders_of(sweep), (std::vector<std::string>{"plain/seed_1", "other/seed_7"}));
  EXPECT_EQ(sweep.runs[1].config.train.seed, 7U);
}

TEST(SweepFile, OverridesAndGridsMultiply) {
  const SweepFolder folder;
  const Sweep sweep = load_sweep(folder.sweep(R"(name: grid
configs:
  - {arm: a, config: plain.yaml, set: {train.momentum: 0.5}}
set: {train.steps: 7}
overrides:
  - {}
  - {arm: decayed, set: {train.l2: 0.25}}
grid:
  train.learning_rate.initial: [0.1, 0.2]
  data.mean: [[0.5], [0.25]]
baseline: a-learning_rate.initial=0.1-mean=_0.5_
)"));
  std::vector<std::string> arms;
  for (const SweepRun& run : sweep.runs) arms.push_back(run.arm);
  EXPECT_EQ(arms,
            (std::vector<std::string>{
                "a-learning_rate.initial=0.1-mean=_0.5_", "a-learning_rate.initial=0.1-mean=_0.25_",
                "a-learning_rate.initial=0.2-mean=_0.5_", "a-learning_rate.initial=0.2-mean=_0.25_",
                "a-decayed-learning_rate.initial=0.1-mean=_0.5_", "a-decayed-learning_rate.initial=0.1-mean=_0.25_",
                "a-decayed-learning_rate.initial=0.2-mean=_0.5_", "a-decayed-learning_rate.initial=0.2-mean=_0.25_"}));
  const Config& last = sweep.runs.back().config;
  EXPECT_EQ(last.train.steps, 7);
  EXPECT_DOUBLE_EQ(last.train.momentum, 0.5);
  EXPECT_DOUBLE_EQ(last.train.l2, 0.25);
  EXPECT_DOUBLE_EQ(last.train.learning_rate.initial, 0.2);
  EXPECT_EQ(last.data.mean, (std::vector<double>{0.25}));
  EXPECT_EQ(sweep.runs.back().overrides,
            (std::vector<std::string>{"train.steps=7", "train.momentum=0.5", "train.l2=0.25",
                                      "train.learning_rate.initial=0.2", "data.mean=[0.25]"}));
}

TEST(SweepFile, TheSameResolvedConfigurationIsOneRun) {
  const SweepFolder folder;
  const Sweep sweep = load_sweep(folder.sweep(R"(name: same
configs: [plain.yaml]
overrides: [{}, {arm: l2_0, set: {train.l2: 0}}, {arm: l2_1, set: {train.l2: 1}}]
)"));
  EXPECT_FALSE(sweep.runs[0].same_as.has_value());
  EXPECT_EQ(sweep.runs[1].same_as, std::optional<size_t>(0));
  EXPECT_EQ(sweep.runs[1].folder, "plain/seed_1");
  EXPECT_FALSE(sweep.runs[2].same_as.has_value());
}

TEST(SweepFile, AnUnknownConfigurationIsNamedWithItsPlace) {
  const SweepFolder folder;
  EXPECT_EQ(folder.load_error("name: a\nconfigs: [plain.yaml, nowhere.yaml]\n"),
            fmt::format("{}:2:23: configs[1]: cannot read '{}': no such configuration file", folder / "sweep.yaml",
                        folder / "nowhere.yaml"));
}

TEST(SweepFile, AMistakeInAnOverrideNamesTheArm) {
  const SweepFolder folder;
  EXPECT_EQ(folder.load_error("name: a\nconfigs: [plain.yaml]\nset: {train.momentm: 0.5}\n"),
            fmt::format("{0}: arm plain: {0}:3:7: train.momentm: unknown key; did you mean train.momentum?",
                        folder / "sweep.yaml"));
  EXPECT_EQ(folder.load_error("name: a\nconfigs: [plain.yaml]\ngrid: {train.l2: [0, x]}\n"),
            fmt::format("{0}: arm plain-l2=x: {0}:3:22: train.l2: got 'x', expected a number of at least 0",
                        folder / "sweep.yaml"));
}

TEST(SweepFile, OverridesOfStepsAndEpochsMayStandInAnyOrder) {
  const SweepFolder folder;
  for (const char* set : {"{train.steps: 7, train.epochs: 0, train.log_every: 2}",
                          "{train.epochs: 0, train.log_every: 2, train.steps: 7}"}) {
    const Sweep sweep = load_sweep(folder.sweep(fmt::format("name: a\nconfigs: [plain.yaml]\nset: {}\n", set)));
    EXPECT_EQ(sweep.runs.front().config.train.steps, 7);
  }
  EXPECT_EQ(folder.load_error("name: a\nconfigs: [plain.yaml]\nset: {train.steps: 0, train.log_every: 2}\n"),
            fmt::format("{0}: arm plain: {0}:3:7: train.steps: got steps 0 and epochs 0, expected exactly one of them "
                        "above 0",
                        folder / "sweep.yaml"));
}

// Beside `seeds` it would have no effect.
TEST(SweepFile, AnOverrideCannotSetTheSeed) {
  const SweepFolder folder;
  const auto error = [&](const std::string& text, const std::vector<std::string>& overrides) {
    return error_message<ConfigError>([&] { load_sweep(folder.sweep(text), overrides); });
  };
  const std::string plain = "name: a\nconfigs: [plain.yaml]\nseeds: [1, 2]\n";
  const std::string form =
      (folder / "sweep.yaml") + ": arm {}: {}: sets train.seed, expected the key `seeds` to list them";
  EXPECT_EQ(error(plain, {"train.seed=3"}), fmt::format(fmt::runtime(form), "plain", "--set train.seed=3"));
  EXPECT_EQ(error(plain, {"train.l2=0", "train={seed: 3}"}),
            fmt::format(fmt::runtime(form), "plain", "--set train={seed: 3}"));
  EXPECT_EQ(error(plain + "set: {train: {seed: 3}}\n", {}),
            fmt::format(fmt::runtime(form), "plain", (folder / "sweep.yaml") + ":4:7"));
  EXPECT_EQ(error(plain + "grid: {train: [{seed: 3}]}\n", {}),
            fmt::format(fmt::runtime(form), "plain-train=_seed__3_", (folder / "sweep.yaml") + ":4:16"));
}

TEST(SweepFile, MoreRunsThanCanBeMeantAreRefusedBeforeTheyAreMade) {
  const SweepFolder folder;
  std::vector<int> hundred(100);
  std::iota(hundred.begin(), hundred.end(), 1);
  EXPECT_EQ(folder.load_error(fmt::format("name: a\nconfigs: [plain.yaml, {{arm: b, config: plain.yaml}}]\n"
                                          "seeds: [{0}]\noverrides: [{{}}, {{arm: c}}, {{arm: d}}]\n"
                                          "grid: {{train.l2: [{0}], train.momentum: [{0}]}}\n",
                                          fmt::join(hundred, ", "))),
            (folder / "sweep.yaml") +
                ":1:1: makes 6000000 runs of 2 configs, 3 overrides, 10000 combinations of the grid and 100 seeds; at "
                "most 10000 are accepted");
}

struct Mistake {
  const char* name;
  const char* text;
  const char* message;  // after the file's name
};

class SweepFileMistake : public testing::TestWithParam<Mistake> {};

TEST_P(SweepFileMistake, IsExplained) {
  const SweepFolder folder;
  EXPECT_EQ(folder.load_error(GetParam().text), (folder / "sweep.yaml") + GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, SweepFileMistake,
    testing::Values(
        Mistake{"NoName", "configs: [plain.yaml]\n",
                ":1:1: name: is missing, expected the name of the sweep, and of its folder"},
        Mistake{"BadName", "name: a/b\nconfigs: [plain.yaml]\n",
                ":1:7: name: got 'a/b', expected a name of letters, digits and _-.=+, since it names a folder"},
        Mistake{"NoConfigs", "name: a\n", ":1:1: configs: is missing, expected a list of configuration files"},
        Mistake{"UnknownKey", "name: a\nseed: [1]\nconfigs: [plain.yaml]\n",
                ":2:1: seed: unknown key, expected one of name, baseline, images, configs, seeds, set, overrides, "
                "grid; did you mean seeds?"},
        Mistake{"SeedTwice", "name: a\nconfigs: [plain.yaml]\nseeds: [1, 2, 1]\n", ":3:15: seeds: lists 1 twice"},
        Mistake{"SeedIsNoNumber", "name: a\nconfigs: [plain.yaml]\nseeds: [x]\n",
                ":3:9: seeds: got 'x', expected a whole number, 0 or more"},
        Mistake{"SeedAmongOverrides", "name: a\nconfigs: [plain.yaml]\nset: {train.seed: 3}\n",
                ":3:7: set: sets train.seed, expected the key `seeds` to list them"},
        Mistake{"SeedInTheGrid", "name: a\nconfigs: [plain.yaml]\ngrid: {train.seed: [1, 2]}\n",
                ":3:8: grid.train.seed: expected the key `seeds` to list the seeds"},
        Mistake{"ConfigWithoutFile", "name: a\nconfigs: [plain.yaml, {arm: b}]\n",
                ":2:23: configs[1]: names no `config`, expected a file"},
        Mistake{"UnknownKeyOfAConfig", "name: a\nconfigs: [{config: plain.yaml, sets: {}}]\n",
                ":2:32: configs[0].sets: unknown key, expected one of config, arm, set, seed; did you mean set?"},
        Mistake{"SeedOfAConfigBesideSeeds", "name: a\nseeds: [1]\nconfigs: [{config: plain.yaml, seed: 3}]\n",
                ":3:32: configs[0].seed: the key `seeds` lists the seeds of all arms"},
        Mistake{"SeedOfAConfigIsNoNumber", "name: a\nconfigs: [{config: plain.yaml, seed: one}]\n",
                ":2:38: configs[0].seed: got 'one', expected a whole number, 0 or more"},
        Mistake{"UnknownKeyOfAnOverride", "name: a\nconfigs: [plain.yaml]\noverrides: [{name: b}]\n",
                ":3:14: overrides[0].name: unknown key, expected one of arm, set"},
        Mistake{"SetIsNoMap", "name: a\nconfigs: [plain.yaml]\nset: train.l2=0\n",
                ":3:6: set: got 'train.l2=0', expected a map such as {train.l2: 0}"},
        Mistake{"OverridesAreNoList", "name: a\nconfigs: [plain.yaml]\noverrides: {train.l2: 0}\n",
                ":3:12: overrides: got a map, expected a list such as [{arm: no_l2, set: {train.l2: 0}}]"},
        Mistake{"AnOverrideIsNoMap", "name: a\nconfigs: [plain.yaml]\noverrides: [train.l2=0]\n",
                ":3:13: overrides[0]: got 'train.l2=0', expected a map of arm, set"},
        Mistake{"GridTooLarge",
                "name: a\nconfigs: [plain.yaml]\ngrid:\n  train.l2: [1,2,3,4,5,6,7,8,9,10,11]\n  train.momentum: "
                "[1,2,3,4,5,6,7,8,9,10,11]\n"
                "  train.batch: [1,2,3,4,5,6,7,8,9,10,11]\n  data.distortion: [1,2,3,4,5,6,7,8,9,10,11]\n",
                ":7:3: grid: makes 14641 combinations and more, at most 10000 are accepted"},
        Mistake{"GridIsNoMap", "name: a\nconfigs: [plain.yaml]\ngrid: [train.l2]\n",
                ":3:7: grid: got a list, expected a map such as {train.l2: [0, 0.0001]}"},
        Mistake{"ImagesAreNoNumber", "name: a\nconfigs: [plain.yaml]\nimages: {train: many}\n",
                ":3:17: images.train: got 'many', expected a whole number, 0 or more"},
        Mistake{"SameName", "name: a\nconfigs: [plain.yaml, plain.yaml]\n",
                ":2:23: configs: two arms are called plain; `arm: NAME` tells them apart"},
        Mistake{"Baseline", "name: a\nconfigs: [plain.yaml]\nbaseline: plan\n",
                ":3:11: baseline: got 'plan', expected the name of an arm; did you mean plain?"},
        Mistake{"GridWithoutList", "name: a\nconfigs: [plain.yaml]\ngrid: {train.l2: 0}\n",
                ":3:18: grid.train.l2: got '0', expected a list of values"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bn::test
