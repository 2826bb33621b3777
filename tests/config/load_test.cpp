// Layers: a file over its base, network tables in files of their own, `--set` over everything.
#include <gtest/gtest.h>

#include <filesystem>

#include "config/fixtures.hpp"
#include "support/small_inception.hpp"

namespace bn::test {
namespace {

const std::string kMlp = "kind: mlp\nimage_size: 32\nimage_channels: 3\nhidden: [8]\n";
const std::string kInception = small_inception_text(32);

class Load : public testing::Test {
 protected:
  const TemporaryFolder folder_;
};

TEST_F(Load, ADerivedFileOverridesItsBaseKeyByKey) {
  folder_.write("base.yaml", kExperiment + R"(train:
  steps: 10
  batch: 16
  learning_rate: {initial: 0.1, decay_factor: 0.5, decay_steps: 3}
)");
  folder_.write("middle.yaml", "base: base.yaml\ntrain: {batch: 8, momentum: 0.5}\n");
  const std::string path = folder_.write("run.yaml", R"(base: middle.yaml
train: {momentum: 0.25, learning_rate: {initial: 0.2}}
data: {mean: [1, 2, 3]}
)");
  const Config config = load_config(path, {"train.learning_rate.decay_factor=0.75", "train.seed=3", "train.seed=4"});
  EXPECT_EQ(config.train.steps, 10);
  EXPECT_EQ(config.train.batch, 8);
  EXPECT_DOUBLE_EQ(config.train.momentum, 0.25);
  EXPECT_DOUBLE_EQ(config.train.learning_rate.initial, 0.2);
  EXPECT_DOUBLE_EQ(config.train.learning_rate.decay_factor, 0.75);
  EXPECT_EQ(config.train.learning_rate.decay_steps, 3);
  EXPECT_EQ(config.train.seed, 4U);
  EXPECT_EQ(config.data.mean, (std::vector<double>{1, 2, 3}));
}

TEST_F(Load, ABaseThatIsNotBesideTheFileMayHaveComeWithTheProgram) {
  const std::string path = folder_.write("run.yaml", "base: mnist/batch_norm.yaml\n");
  EXPECT_EQ(load_config(path).model.normalization, Normalization::kBatch);
  folder_.write("mnist/batch_norm.yaml", kExperiment + kTrain + "threads: 3\n");
  EXPECT_EQ(load_config(path).threads, 3);
  const std::string message = load_error(folder_.write("other.yaml", "base: mnist/none.yaml\n"));
  EXPECT_CONTAINS(message, "mnist/none.yaml': No such file");
}

TEST_F(Load, BaseAndNetworkAreRelativeToTheFileThatNamesThem) {
  folder_.write("networks/table.yaml", kMlp);
  folder_.write("common/base.yaml",
                "model: {network: ../networks/table.yaml, classes: 10}\n"
                "data: {image_size: 32, resize_shorter: 0}\n" +
                    kTrain);
  const std::string path = folder_.write("mine/deep/run.yaml", "base: ../../common/base.yaml\n");
  EXPECT_EQ(std::get<MlpTable>(load_config(path).model.table).hidden, std::vector<int64_t>{8});
}

TEST_F(Load, ErrorsNameTheFileInWhichTheMistakeStands) {
  const std::string table = folder_.write("table.yaml", kMlp + "hiden: [8]\n");
  const std::string base = folder_.write("base.yaml", kExperiment + "train:\n  steps: ten\n");
  EXPECT_EQ(load_error(folder_.write("run.yaml", "base: base.yaml\n")),
            base + ":6:10: train.steps: got 'ten', expected an integer from 0 to 1000000000000");
  EXPECT_EQ(load_error(folder_.write("run.yaml", "model: {network: table.yaml}\n")),
            table + ":5:1: model.network.hiden: unknown key; did you mean model.network.hidden?");
  // A constraint between keys is placed at the key, wherever it was written last.
  folder_.write("base.yaml", kExperiment + kTrain);
  const std::string path =
      folder_.write("run.yaml", "base: base.yaml\ndata:\n  image_size: 64\n  resize_shorter: 64\n");
  EXPECT_EQ(load_error(path), path + ":3:3: data.image_size: got 64, expected 32 as model.network.image_size says");
}

TEST_F(Load, NamesAMissingFileAndWhoAskedForIt) {
  EXPECT_EQ(load_error(folder_ / "none.yaml"),
            "cannot read '" + (folder_ / "none.yaml") + "': No such file or directory");
  const std::string run = folder_.write("run.yaml", "base: none.yaml\n");
  EXPECT_EQ(load_error(run),
            run + ":1:7: base: cannot read '" + (folder_ / "none.yaml") + "': No such file or directory");
  folder_.write("run.yaml", "model:\n  network: none.yaml\n");
  EXPECT_EQ(load_error(run),
            run + ":2:12: model.network: cannot read '" + (folder_ / "none.yaml") + "': No such file or directory");
  folder_.write("run.yaml", "base: .\n");
  EXPECT_CONTAINS(load_error(run), run + ":1:7: base: cannot read '");
  EXPECT_CONTAINS(load_error(run), "': it is a folder, expected a YAML file");
  folder_.write("run.yaml", "base: [a.yaml]\n");
  EXPECT_EQ(load_error(run), run + ":1:7: base: got a list, expected the path of a YAML file");
}

// Byte 0 of this process's memory can never be read (EIO).
TEST_F(Load, AFailingDiskIsAnErrorOfTheStorage) {
  const std::string run = folder_ / "run.yaml";
  std::filesystem::create_symlink("/proc/self/mem", run);
  EXPECT_EQ(error_message<StorageError>([&] { load_config(run); }), "cannot read '" + run + "': Input/output error");
}

TEST_F(Load, TellsANetworkFromAnExperiment) {
  const std::string table = folder_.write("table.yaml", kMlp);
  EXPECT_EQ(load_error(table),
            table + ":1:1: this is the table of a network, expected an experiment that names it as model.network");
}

TEST_F(Load, RefusesACircleOfBases) {
  const std::string a = folder_.write("a.yaml", "base: b.yaml\n"), b = folder_.write("b.yaml", "base: c.yaml\n");
  const std::string c = folder_.write("c.yaml", "train: {}\nbase: ./a.yaml\n");
  EXPECT_EQ(load_error(a),
            c + ":2:7: base: the chain of bases is a circle: " + a + " -> " + b + " -> " + c + " -> " + a);
  const std::string own = folder_.write("own.yaml", "base: own.yaml\n");
  EXPECT_EQ(load_error(own), own + ":1:7: base: the chain of bases is a circle: " + own + " -> " + own);
}

TEST_F(Load, RefusesEmptyAndHugeFiles) {
  const std::string run = folder_.write("run.yaml", "");
  EXPECT_EQ(load_error(run), run + ":1:1: the file is empty, expected a map of keys");
  folder_.write("run.yaml", "- a\n");
  EXPECT_EQ(load_error(run), run + ":1:1: got a list, expected a map of keys");
  folder_.write("run.yaml", std::string(2 << 20, ' '));
  EXPECT_EQ(load_error(run), "cannot read '" + run + "': it is larger than 1 MiB, expected a YAML file");
}

TEST_F(Load, AnOverrideMustNameAKey) {
  EXPECT_EQ(override_error("train.batch"), "--set train.batch: expected key.path=value, such as train.batch=60");
  EXPECT_EQ(override_error("=3"), "--set =3: expected key.path=value, such as train.batch=60");
  EXPECT_EQ(override_error("train..batch=3"),
            "--set train..batch=3: train..batch: a part of the key is empty, expected key.path=value");
  EXPECT_EQ(override_error("train.momentm=1"),
            "--set train.momentm=1: train.momentm: unknown key; did you mean train.momentum?");
  EXPECT_EQ(override_error("base=other.yaml"), "--set base=other.yaml: base: is only read from a file");
  std::string deep = "a";
  for (int i = 0; i < 100000; ++i) deep += ".a";
  EXPECT_CONTAINS(override_error(deep + "=1"), "the key has too many parts");
}

TEST_F(Load, AnOverrideValueMayBeAMapOrAList) {
  const std::string path = folder_.write("run.yaml", kExperiment + kTrain);
  const Config config = load_config(path, {"train={batch: 4, probe: {unit: 2}}", "data.std=[1, 2, 3]"});
  EXPECT_EQ(config.train.batch, 4);
  EXPECT_EQ(config.train.probe.unit, 2);
  EXPECT_EQ(config.train.steps, 10);
  EXPECT_EQ(config.data.std, (std::vector<double>{1, 2, 3}));
}

TEST_F(Load, ALayerThatGivesStepsDropsTheEpochsBelowIt) {
  folder_.write("base.yaml", kExperiment + "train: {epochs: 3, learning_rate: {decay_factor: 0.5, decay_epochs: 1}}\n");
  const std::string path = folder_.write("run.yaml", "base: base.yaml\ntrain: {learning_rate: {decay_steps: 7}}\n");
  const Config config = load_config(path, {"train.steps=20"});
  EXPECT_EQ(config.train.steps, 20);
  EXPECT_EQ(config.train.epochs, 0);
  EXPECT_EQ(config.train.learning_rate.decay_steps, 7);
  EXPECT_EQ(config.train.learning_rate.decay_epochs, 0);
}

TEST_F(Load, ALayerThatGivesAnotherScheduleDropsTheOneBelowIt) {
  folder_.write("base.yaml", kExperiment + "train: {epochs: 3, learning_rate: {decay_factor: 0.5, decay_epochs: 1}}\n");
  const auto rate = [&](const std::string& keys, const std::vector<std::string>& overrides = {}) {
    const std::string path = folder_.write("run.yaml", "base: base.yaml\ntrain: {learning_rate: {" + keys + "}}\n");
    return load_config(path, overrides).train.learning_rate;
  };
  const LearningRateOptions at = rate("decay_at_epochs: [1, 2]");
  EXPECT_EQ(at.decay_at_epochs, (std::vector<double>{1, 2}));
  EXPECT_EQ(at.decay_factor, 0.5);
  EXPECT_EQ(at.decay_epochs, 0);
  EXPECT_EQ(rate("decay_at_epochs: []").decay_epochs, 1);
  const LearningRateOptions cosine = rate("shape: cosine");
  EXPECT_EQ(cosine.shape, DecayShape::kCosine);
  EXPECT_EQ(cosine.decay_factor, 1);
  EXPECT_EQ(cosine.decay_epochs, 0);
  const LearningRateOptions polynomial = rate("shape: cosine", {"train.learning_rate={shape: polynomial, power: 2}"});
  EXPECT_EQ(polynomial.power, 2);
  EXPECT_EQ(rate("shape: smooth").decay_factor, 0.5);
  const LearningRateOptions back = rate("shape: polynomial, power: 2", {"train.learning_rate.shape=staircase"});
  EXPECT_EQ(back.power, 1);
}

TEST_F(Load, AMapOverTheRowsChangesTheRowsItNames) {
  folder_.write("table.yaml", kInception);
  folder_.write("base.yaml",
                "model: {network: table.yaml, classes: 10}\ndata: {image_size: 32, resize_shorter: 0}\n" + kTrain);
  const std::string path =
      folder_.write("run.yaml", "base: base.yaml\nmodel: {network: {rows: {conv1: {filters: 16}}}}\n");
  const Config config = load_config(path, {"model.network.rows.inception_2a.pool=max"});
  const auto& rows = std::get<InceptionTable>(config.model.table).rows;
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].filters, 16);
  EXPECT_EQ(rows[0].patch, 3);
  EXPECT_EQ(rows[1].pool, PoolKind::kMax);
  EXPECT_EQ(load_error(path, {"model.network.rows.conv2.filters=8"}),
            "--set model.network.rows.conv2.filters=8: model.network.rows.conv2: no row has this name, the rows are: "
            "conv1, inception_2a, pool3; did you mean conv1?");
  EXPECT_EQ(load_error(path, {"model.network.rows.conv1=8"}),
            "--set model.network.rows.conv1=8: model.network.rows.conv1: got '8', expected a map of the row's keys");
  EXPECT_EQ(load_error(path, {"model.network.rows.conv1.filers=8"}),
            "--set model.network.rows.conv1.filers=8: model.network.rows.conv1.filers: unknown key; did you mean "
            "model.network.rows.conv1.filters?");
}

TEST_F(Load, ATableReplacesAnotherAsAWhole) {
  folder_.write("inception.yaml", kInception);
  folder_.write("mlp.yaml", kMlp);
  folder_.write("base.yaml",
                "model: {network: inception.yaml, classes: 10}\ndata: {image_size: 32, resize_shorter: 0}\n" + kTrain);
  const std::string path = folder_.write("run.yaml", "base: base.yaml\nmodel: {network: mlp.yaml}\n");
  EXPECT_TRUE(std::holds_alternative<MlpTable>(load_config(path).model.table));
  const std::string inline_table = "{kind: mlp, image_size: 32, image_channels: 3, hidden: [4]}";
  EXPECT_TRUE(std::holds_alternative<MlpTable>(
      load_config(folder_ / "base.yaml", {"model.network=" + inline_table}).model.table));
}

TEST_F(Load, AResolvedTextIsComplete) {
  folder_.write("table.yaml", kInception);
  const std::string path = folder_.write(
      "run.yaml", "model: {network: table.yaml, classes: 10}\ndata: {image_size: 32, resize_shorter: 0}\n" + kTrain);
  const Config config = load_config(path, {"model.network.auxiliary={after: conv1, pool_stride: 1}"});
  const Config again = parse_config(to_yaml(config), "resolved.yaml");
  EXPECT_EQ(to_yaml(again), to_yaml(config));
  EXPECT_EQ(std::get<InceptionTable>(again.model.table).auxiliary->pool_stride, 1);
}

using OverrideOrder = Load;

// Overrides of two keys that say one thing: steps or epochs, in either order.
TEST_F(OverrideOrder, AZeroSwitchesNothingElseOff) {
  for (const char* train : {"train: {epochs: 3}\n", "train: {steps: 5}\n"}) {
    const std::string path = folder_.write("run.yaml", kExperiment + train);
    std::vector<std::string> overrides{"train.epochs=0.0", "train.evaluate_every=7", "train.steps=200"};
    do {
      const Config config = load_config(path, overrides);
      EXPECT_EQ(config.train.steps, 200);
      EXPECT_EQ(config.train.epochs, 0);
    } while (std::next_permutation(overrides.begin(), overrides.end()));
  }
  const std::string decay = "train: {steps: 5, learning_rate: {decay_factor: 0.5, decay_epochs: 2}}\n";
  const std::string path = folder_.write("run.yaml", kExperiment + decay);
  const std::string steps = "train.learning_rate.decay_steps=3", epochs = "train.learning_rate.decay_epochs=0";
  for (const auto& overrides : {std::vector{steps, epochs}, std::vector{epochs, steps}}) {
    EXPECT_EQ(load_config(path, overrides).train.learning_rate.decay_steps, 3);
    EXPECT_EQ(load_config(path, overrides).train.learning_rate.decay_epochs, 0);
  }
}

TEST_F(OverrideOrder, AZeroOfWhatIsNotUsedChangesNothing) {
  const std::string path = folder_.write("run.yaml", kExperiment + kTrain);
  EXPECT_EQ(load_config(path, {"train.epochs=0"}).train.steps, 10);
}

TEST_F(OverrideOrder, TheKeyThatIsWrongIsBlamed) {
  const std::string path = folder_.write("run.yaml", kExperiment + "train: {epochs: 3}\n");
  const std::string what = "got steps 0 and epochs 0, expected exactly one of them above 0";
  EXPECT_EQ(load_error(path, {"train.epochs=0", "train.evaluate_every=5"}),
            "--set train.epochs=0: train.epochs: " + what);
  EXPECT_EQ(load_error(path, {"train.epochs=0", "train.steps=0", "train.l2=1"}),
            "--set train.steps=0: train.steps: " + what);
  // An override beside it is not where it is missing.
  const std::string neither = folder_.write("neither.yaml", kExperiment + "train: {batch: 3}\n");
  EXPECT_EQ(load_error(neither, {"train.evaluate_every=5"}), neither + ":5:1: train.steps: " + what);
}

}  // namespace
}  // namespace bn::test
