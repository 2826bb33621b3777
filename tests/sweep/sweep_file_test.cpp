#include <fmt/format.h>
#include <gtest/gtest.h>

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
            fmt::format("{}: arm plain: --set train.momentm=0.5: train.momentm: unknown key; did you mean "
                        "train.momentum?",
                        folder / "sweep.yaml"));
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
        Mistake{"SameName", "name: a\nconfigs: [plain.yaml, plain.yaml]\n",
                ":2:23: configs: two arms are called plain; `arm: NAME` tells them apart"},
        Mistake{"Baseline", "name: a\nconfigs: [plain.yaml]\nbaseline: plan\n",
                ":3:11: baseline: got 'plan', expected the name of an arm; did you mean plain?"},
        Mistake{"GridWithoutList", "name: a\nconfigs: [plain.yaml]\ngrid: {train.l2: 0}\n",
                ":3:18: grid.train.l2: got '0', expected a list of values"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace bn::test
