// Constraints between keys, of files and of options made in code.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "config/fixtures.hpp"
#include "support/small_inception.hpp"

namespace bn::test {
namespace {

Config experiment() { return parse_config(kExperiment + kTrain, "run.yaml"); }

template <class Change>
std::string check_error(Change&& change) {
  Config config = experiment();
  change(config);
  return error_message<ConfigError>([&] { check(config); });
}

TEST(Check, AcceptsAnExperiment) { EXPECT_NO_THROW(check(experiment())); }

TEST(Check, WantsStepsOrEpochs) {
  EXPECT_EQ(check_error([](Config& c) { c.train.epochs = 2; }),
            "train.steps: got steps 10 and epochs 2, expected exactly one of them above 0");
  EXPECT_EQ(check_error([](Config& c) { c.train.steps = 0; }),
            "train.steps: got steps 0 and epochs 0, expected exactly one of them above 0");
  EXPECT_EQ(parse_error(kExperiment + "train:\n  epochs: 2\n  steps: 3\n"),
            "run.yaml:7:3: train.steps: got steps 3 and epochs 2, expected exactly one of them above 0");
  // No key is written that the message could point at, so it names the nearest map around it.
  EXPECT_EQ(parse_error(kExperiment + "train: {batch: 3}\n"),
            "run.yaml:5:1: train.steps: got steps 0 and epochs 0, expected exactly one of them above 0");
}

TEST(Check, WantsOneDecayInterval) {
  EXPECT_EQ(check_error([](Config& c) { c.train.learning_rate.decay_factor = 0.5; }),
            "train.learning_rate.decay_factor: is 0.5, but there is no interval: got decay_steps 0 and decay_epochs 0, "
            "expected one of them above 0");
  EXPECT_EQ(check_error([](Config& c) {
              c.train.learning_rate.decay_steps = 3;
              c.train.learning_rate.decay_epochs = 2;
            }),
            "train.learning_rate.decay_steps: got decay_steps 3 and decay_epochs 2, expected one of them, the other 0");
}

TEST(Check, WantsEpochsOfTheDecayInOrder) {
  const std::string path = "train.learning_rate.decay_at_epochs: ";
  const auto error = [](const std::vector<double>& epochs, double factor, double interval) {
    return check_error([&](Config& c) {
      c.train.learning_rate.decay_at_epochs = epochs;
      c.train.learning_rate.decay_factor = factor;
      c.train.learning_rate.decay_epochs = interval;
    });
  };
  EXPECT_EQ(error({30, 20}, 0.1, 0), path + "got [30, 20], expected ascending epochs");
  EXPECT_EQ(error({30, 30}, 0.1, 0), path + "got [30, 30], expected ascending epochs");
  EXPECT_EQ(error({30}, 1, 0), path + "names epochs, but decay_factor is 1, expected it below 1");
  EXPECT_EQ(error({30}, 0.1, 2),
            path +
                "names the epochs of the decay beside an interval: got decay_steps 0 and decay_epochs 2, expected "
                "both 0");
  EXPECT_EQ(error({0, 30}, 0.1, 0), "train.learning_rate.decay_at_epochs[0]: got '0', expected a number above 0");
}

TEST(Check, WantsKeysOfTheShapeOfTheLearningRate) {
  const std::string path = "train.learning_rate.";
  EXPECT_EQ(check_error([](Config& c) {
              c.train.learning_rate.shape = DecayShape::kCosine;
              c.train.learning_rate.decay_factor = 0.5;
            }),
            path + "decay_factor: does not apply to shape cosine");
  EXPECT_EQ(check_error([](Config& c) {
              c.train.learning_rate.shape = DecayShape::kSmooth;
              c.train.learning_rate.decay_at_epochs = {3};
            }),
            path + "decay_at_epochs: does not apply to shape smooth");
  EXPECT_EQ(check_error([](Config& c) { c.train.learning_rate.power = 2; }),
            path + "power: does not apply to shape staircase");
  EXPECT_EQ(check_error([](Config& c) {
              c.train.learning_rate.shape = DecayShape::kPolynomial;
              c.train.learning_rate.power = -1;
            }),
            path + "power: got '-1', expected a number above 0 and at most 100");
}

TEST(Check, WantsAWarmUpWithinTheRun) {
  const std::string path = "train.learning_rate.";
  EXPECT_EQ(check_error([](Config& c) {
              c.train.steps = 0;
              c.train.epochs = 3;
              c.train.learning_rate.warmup_epochs = 4;
            }),
            path + "warmup_epochs: got 4, expected at most the run's train.epochs, 3");
  EXPECT_EQ(check_error([](Config& c) { c.train.learning_rate.warmup_from = 0.001; }),
            path + "warmup_from: is 0.001, but there is no warm-up: warmup_epochs is 0, expected it above 0");
  EXPECT_EQ(check_error([](Config& c) {
              c.train.learning_rate.warmup_epochs = 1;
              c.train.learning_rate.warmup_from = 1;
            }),
            path + "warmup_from: got 1, expected at most initial, 0.01, to which the rate rises");
}

TEST(Check, WantsOneSourceOfValidationImages) {
  const auto split = [](DatasetKind kind, const std::vector<std::string>& train,
                        const std::vector<std::string>& validation) {
    return [=](Config& c) {
      c.data.kind = kind, c.data.train = train, c.data.validation = validation, c.data.split.validation = 0.2;
    };
  };
  Config config = experiment();
  split(DatasetKind::kFolder, {"a"}, {})(config);
  EXPECT_NO_THROW(check(config));
  EXPECT_EQ(check_error(split(DatasetKind::kFolder, {"a"}, {"b"})),
            "data.split.validation: got 0.2, expected 0 where data.validation names the validation images, or no path "
            "there");
  EXPECT_EQ(check_error(split(DatasetKind::kPacked, {"a"}, {})),
            "data.split.validation: got 0.2, expected 0: only kinds folder and tar are split");
}

// Training computes in single precision.
TEST(Check, WantsNumbersThatSinglePrecisionHas) {
  EXPECT_EQ(check_error([](Config& c) { c.train.learning_rate.initial = 1e-320; }),
            "train.learning_rate.initial: got 1e-320, which is 0 in single precision");
  EXPECT_EQ(check_error([](Config& c) { c.model.init_scale = 1e-320; }),
            "model.init_scale: got 1e-320, by which weights would be 0, or nearly; expected at least 1.18e-38");
  EXPECT_EQ(check_error([](Config& c) { c.train.average_decay = 0.9999999999; }),
            "train.average_decay: got 0.9999999999, which is 1 in single precision");
  EXPECT_EQ(check_error([](Config& c) { c.train.statistics_decay = 0.99999999; }),
            "train.statistics_decay: got 0.99999999, which is 1 in single precision");
  EXPECT_EQ(check_error([](Config& c) { c.train.momentum = 0.99999999; }),
            "train.momentum: got 0.99999999, which is 1 in single precision");
  EXPECT_EQ(check_error([](Config& c) { c.model.dropout = 0.9999999999; }),
            "model.dropout: got 0.9999999999, which is 1 in single precision");
  Config config = experiment();
  config.train.average_decay = 0.9999999;  // 0.99999988 in single precision
  EXPECT_NO_THROW(check(config));
  EXPECT_EQ(check_error([](Config& c) {
              c.data.std = {1, 1e-45, 1};
            }),
            "data.std: got 1e-45, by which no pixel can be divided in single precision");
}

TEST(Check, WantsPathsThatACheckpointCanName) {
  const auto error_of = [](const char* path) {
    return check_error([&](Config& c) {
      c.data.kind = DatasetKind::kTar;
      c.data.train = {path};
      c.data.validation = {"val.tar"};
    });
  };
  for (const char* path : {"s\xFFt", "\xC3", "\x80", "\xE2\x82"}) {
    EXPECT_CONTAINS(error_of(path), "which is not UTF-8, so a checkpoint cannot name it; expected another name");
  }
  Config config = experiment();
  config.data.kind = DatasetKind::kTar;
  config.data.train = {"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x90\x9D"};
  config.data.validation = {"val.tar"};
  EXPECT_NO_THROW(check(config));
}

TEST(Check, WantsTwoValuesToNormaliseOver) {
  EXPECT_EQ(check_error([](Config& c) { c.train.batch = 1; }),
            "train.batch: got 1, expected at least 2: hidden1/bn would normalise over a single value");
  Config plain = experiment();
  plain.train.batch = 1;
  plain.model.normalization = Normalization::kNone;
  EXPECT_NO_THROW(check(plain));
}

TEST(Check, WantsImagesAsTheNetworkTakesThem) {
  EXPECT_EQ(check_error([](Config& c) { c.data.image_size = 64, c.data.resize_shorter = 64; }),
            "data.image_size: got 64, expected 32 as model.network.image_size says");
  EXPECT_EQ(check_error([](Config& c) { c.data.image_channels = 1; }),
            "data.image_channels: got 1, expected 3 as model.network.image_channels says");
  EXPECT_EQ(check_error([](Config& c) { c.data.mean = {0}; }),
            "data.mean: got 1 values, expected one for each of the 3 channels");
  EXPECT_EQ(check_error([](Config& c) {
              c.data.std = {1, 1, 1, 1};
            }),
            "data.std: got 4 values, expected one for each of the 3 channels");
}

TEST(Check, WantsASensibleCrop) {
  EXPECT_EQ(check_error([](Config& c) { c.data.resize_shorter = 16; }),
            "data.resize_shorter: got 16, expected 0 or at least data.image_size, 32, which is cropped from it");
  EXPECT_EQ(check_error([](Config& c) { c.data.augment.max_area = 0.01; }),
            "data.augment.min_area: got 0.08, expected at most data.augment.max_area, 0.01");
  EXPECT_EQ(check_error([](Config& c) { c.data.augment.max_aspect = 0.5; }),
            "data.augment.min_aspect: got 0.75, expected at most data.augment.max_aspect, 0.5");
}

TEST(Check, CachesOnlyWhatIsDecoded) {
  EXPECT_EQ(check_error([](Config& c) { c.data.cache = Cache::kDecoded; }),
            "data.cache: got decoded, expected none: this set is in memory already");
}

TEST(Check, WantsAnOrderTheDataCanHave) {
  const char* message = "data.shuffle: orders by shards, which only kinds tar and packed have; expected none or full";
  EXPECT_EQ(check_error([](Config& c) { c.data.shuffle = Shuffle::kShards; }), message);
  EXPECT_EQ(check_error([](Config& c) { c.data.shuffle = Shuffle::kWithinShard; }), message);
}

TEST(Check, WantsADistortionThatCanBeApplied) {
  EXPECT_EQ(check_error([](Config& c) {
              c.data.lighting = {1, 2, 3};
            }),
            "data.lighting: got 3 values, expected nine: three directions of R, G and B");
}

TEST(Check, WantsThePathsOfTheKind) {
  EXPECT_EQ(check_error([](Config& c) { c.data.train = {"a"}; }),
            "data.train: got 1 paths, expected none: kind shapes is generated");
  EXPECT_EQ(check_error([](Config& c) {
              c.data.kind = DatasetKind::kMnist, c.data.train = {"a", "b"};
            }),
            "data.validation: got 0 paths, expected two for kind mnist: images, labels");
  EXPECT_EQ(check_error([](Config& c) {
              c.data.kind = DatasetKind::kFolder;
              c.data.train = {"a", "b"};
              c.data.validation = {"c"};
            }),
            "data.train: got 2 paths, expected one for kind folder");
  EXPECT_EQ(check_error([](Config& c) { c.data.kind = DatasetKind::kTar, c.data.validation = {"a"}; }),
            "data.train: got no path, expected one or more for kind tar");
  EXPECT_EQ(check_error([](Config& c) {
              c.data.kind = DatasetKind::kTar;
              c.data.train = c.data.validation = {""};
            }),
            "2 mistakes:\n  data.train: got an empty path, expected a file or folder\n"
            "  data.validation: got an empty path, expected a file or folder");
}

TEST(Check, WantsTheClassesOfTheData) {
  EXPECT_EQ(check_error([](Config& c) { c.model.classes = 12; }), "model.classes: got 12, expected 10 as the data has");
  EXPECT_EQ(check_error([](Config& c) { c.data.classes_limit = 3; }),
            "model.classes: got 10, expected 3 as the data has");
  EXPECT_EQ(check_error([](Config& c) { c.data.classes_limit = c.model.classes = 11; }),
            "data.classes_limit: got 11, but this set has 10 classes");
  EXPECT_EQ(check_error([](Config& c) { c.data.classes = "names.txt"; }),
            "data.classes: names a file, expected nothing: generated shapes have their own classes");
}

TEST(Check, WantsAnOpToProbe) {
  EXPECT_EQ(check_error([](Config& c) { c.train.probe.op = "hiden1/act"; }),
            "train.probe.op: got 'hiden1/act', expected an op of the network or \"\"; did you mean hidden1/act?");
  EXPECT_EQ(check_error([](Config& c) { c.train.probe.op = "hidden1/act", c.train.probe.unit = 8; }),
            "train.probe.unit: got 8, expected less than the 8 inputs of hidden1/act");
}

TEST(Check, WantsTheImplementationOfTheDevice) {
  EXPECT_EQ(
      check_error([](Config& c) { c.model.batch_norm.implementation = BatchNormImplementation::kCudnn; }),
      "batch_norm.implementation: got cudnn, which needs device: cuda, expected custom or onednn for device: cpu");
  EXPECT_EQ(
      check_error([](Config& c) {
        c.device = Device::kCuda;
        c.model.batch_norm.implementation = BatchNormImplementation::kOnednn;
      }),
      "batch_norm.implementation: got onednn, which needs device: cpu, expected custom or cudnn for device: cuda");
}

TEST(Check, WantsOwnBatchNormWhereItIsSynchronised) {
  EXPECT_EQ(check_error([](Config& c) {
              c.device = Device::kCuda;
              c.train.parts = 2;
              c.model.batch_norm = {.implementation = BatchNormImplementation::kCudnn, .synchronised_parts = 2};
            }),
            "batch_norm.synchronised_parts: got more than 1, which needs batch_norm.implementation: custom");
}

TEST(Check, RefusesWhatDoesNotApplyToAnMlp) {
  const std::string what = " does not apply to a network of kind mlp";
  EXPECT_EQ(check_error([](Config& c) { c.model.local_response_norm = true; }), "model.local_response_norm:" + what);
  EXPECT_EQ(check_error([](Config& c) { c.model.per_activation = {"hidden1"}; }), "model.per_activation:" + what);
  EXPECT_EQ(check_error([](Config& c) { c.model.width = 2; }), "model.width:" + what);
  EXPECT_EQ(check_error([](Config& c) { std::get<MlpTable>(c.model.table).hidden.clear(); }),
            "model.network.hidden: is empty, expected at least one layer");
}

TEST(Check, RefusesValuesNoFileCouldHold) {
  EXPECT_EQ(check_error([](Config& c) { c.train.batch = 0; }),
            "train.batch: got '0', expected an integer from 1 to 1048576");
  EXPECT_EQ(check_error([](Config& c) { c.train.l2 = std::numeric_limits<double>::quiet_NaN(); }),
            "train.l2: got 'nan', expected a number of at least 0");
  EXPECT_EQ(check_error([](Config& c) { c.model.activation = Activation::kNone; }),
            "model.activation: has a value that cannot be written in a configuration");
}

Config inception() {
  Config config = experiment();
  config.model.table = small_inception(32);
  return config;
}

template <class Change>
std::string table_error(Change&& change) {
  Config config = inception();
  change(config, std::get<InceptionTable>(config.model.table));
  return error_message<ConfigError>([&] { check(config); });
}

TEST(CheckTable, AcceptsASmallInception) { EXPECT_NO_THROW(check(inception())); }

TEST(CheckTable, WantsRowsWithNamesOfTheirOwn) {
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.rows.clear(); }),
            "model.network.rows: has no row, expected at least one");
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.rows[2].name = "conv1"; }),
            "model.network.rows.conv1: the name is taken, expected another one");
  for (const char* name : {"logits", "images"}) {
    EXPECT_EQ(table_error([&](Config&, InceptionTable& t) { t.rows[2].name = name; }),
              fmt::format("model.network.rows.{}: the name is taken, expected another one", name));
  }
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.rows[2].name = "a/b"; }),
            "model.network.rows.a/b: got the name 'a/b', expected letters, digits, _ and -");
}

TEST(CheckTable, WantsNoFirstBranchAtStride2) {
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.rows[1].stride = 2; }),
            "2 mistakes:\n"
            "  model.network.rows.inception_2a.1x1: got 8, expected 0 in a module of stride 2: it has no 1x1 branch\n"
            "  model.network.rows.inception_2a.projection: got 8, expected 0 in a module of stride 2: its pool passes "
            "through");
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.rows[1].stride = 2, t.rows[1].conv1x1 = 0; }),
            "model.network.rows.inception_2a.projection: got 8, expected 0 in a module of stride 2: its pool passes "
            "through");
}

TEST(CheckTable, WantsRowsThatExist) {
  EXPECT_EQ(table_error([](Config& c, InceptionTable&) { c.model.per_activation = {"inception_2b"}; }),
            "model.per_activation: got 'inception_2b', expected a row of the network; did you mean inception_2a?");
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.local_response_norm_after = {"conv7"}; }),
            "model.network.local_response_norm.after: got 'conv7', expected a row of the network; did you mean conv1?");
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.auxiliary = AuxiliaryHead{.after = "x"}; }),
            "model.network.auxiliary.after: got 'x', expected a row of the network");
  EXPECT_EQ(table_error([](Config& c, InceptionTable&) { c.model.local_response_norm = true; }),
            "model.local_response_norm: is true, but model.network.local_response_norm.after names no row");
}

TEST(CheckTable, FreezesRowsThatExist) {
  Config config = inception();
  config.model.freeze = {"conv", "inception_2a"};
  EXPECT_NO_THROW(check(config));
  EXPECT_EQ(table_error([](Config& c, InceptionTable&) {
              c.model.freeze = {"conv1", "inception_3"};
            }),
            "model.freeze: got 'inception_3', expected a row of the network, or how the names of some begin; did you "
            "mean inception_2a?");
  EXPECT_EQ(check_error([](Config& c) { c.model.freeze = {"hiden1"}; }),
            "model.freeze: got 'hiden1', expected a row of the network, or how the names of some begin; did you mean "
            "hidden1?");
  EXPECT_EQ(check_error([](Config& c) { c.model.freeze = {""}; }),
            "model.freeze: got '', expected a row of the network, or how the names of some begin");
}

TEST(CheckTable, WantsShapesThatFit) {
  EXPECT_EQ(table_error([](Config&, InceptionTable& t) { t.rows[2].patch = 31; }),
            "model.network: pool3: a 31x31 pool with stride 1 and padding 0 does not fit 16 pixels");
}

TEST(CheckTable, CountsWhatABatchNormSees) {
  Config config = inception();
  config.train.batch = 1;
  EXPECT_NO_THROW(check(config));  // 16x16 positions
  config.model.per_activation = {"inception_2a"};
  EXPECT_EQ(error_message<ConfigError>([&] { check(config); }),
            "train.batch: got 1, expected at least 2: inception_2a/1x1/bn would normalise over a single value");
}

}  // namespace
}  // namespace bn::test
