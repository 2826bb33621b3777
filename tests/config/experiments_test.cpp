// The files under configs/.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "bn/config.hpp"

namespace bn {
namespace {

const std::string kConfigs = BN_SOURCE_DIR "/configs/";

std::vector<std::string> experiment_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kConfigs)) {
    if (entry.path().extension() != ".yaml" || entry.path().parent_path().filename() == "networks") continue;
    files.push_back(std::filesystem::relative(entry.path(), kConfigs).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class ExperimentFile : public testing::TestWithParam<std::string> {};

TEST_P(ExperimentFile, LoadsAndItsResolvedTextReadsBackTheSame) {
  const Config config = load_config(kConfigs + GetParam());
  EXPECT_NO_THROW(check(config));
  const std::string text = to_yaml(config);
  const Config again = parse_config(text, "resolved.yaml");
  EXPECT_EQ(to_yaml(again), text);
  EXPECT_EQ(diff(config, again), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(All, ExperimentFile, testing::ValuesIn(experiment_files()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
});

class NetworkFile : public testing::TestWithParam<std::pair<const char*, int64_t>> {};

TEST_P(NetworkFile, IsReadAsTheTableItShows) {
  const auto& [name, image_size] = GetParam();
  const std::string size = std::to_string(image_size);
  const Config config = load_config(kConfigs + "imagenet/bn_baseline.yaml",
                                    {"model.network=" + kConfigs + "networks/" + name, "data.image_size=" + size});
  const auto& table = std::get<InceptionTable>(config.model.table);
  EXPECT_EQ(table.image_size, image_size);
  const TableRow& row = table.rows.at(7);
  EXPECT_EQ(table.rows.size(), 15U);
  EXPECT_EQ(row.name, "inception_4a");
  EXPECT_EQ(table.local_response_norm_after, (std::vector<std::string>{"pool1", "conv2"}));
  EXPECT_EQ(table.local_response_norm.size, 5);
  EXPECT_FLOAT_EQ(table.local_response_norm.alpha, 1e-4F);
  EXPECT_FALSE(table.auxiliary.has_value());
}

INSTANTIATE_TEST_SUITE_P(Inception, NetworkFile,
                         testing::Values(std::pair{"inception.yaml", 224}, std::pair{"inception_64.yaml", 64},
                                         std::pair{"inception_32.yaml", 32}),
                         [](const auto& test) { return "Of" + std::to_string(test.param.second); });

// Paper: Fig. 5; the projections of 4c and 4d are those of the printed sums.
TEST(Experiments, InceptionHasTheRowsOfFigure5) {
  const Config config = load_config(kConfigs + "imagenet/inception.yaml");
  const auto& rows = std::get<InceptionTable>(config.model.table).rows;
  const auto sum = [](const TableRow& row) { return row.conv1x1 + row.conv3x3 + row.double3x3 + row.projection; };
  std::vector<int64_t> sums;
  for (const TableRow& row : rows) {
    if (row.type == RowType::kInception) sums.push_back(sum(row));
  }
  // 3c and 4e pass their input of 320 and 576 channels through as well.
  EXPECT_EQ(sums, (std::vector<int64_t>{256, 320, 576 - 320, 576, 576, 576, 576, 1024 - 576, 1024, 1024}));
  EXPECT_EQ(rows[0].depth_multiplier, 0);
  EXPECT_EQ(rows[2].reduce, 64);
  EXPECT_EQ(rows[6].stride, 2);
  EXPECT_EQ(rows[6].pool, PoolKind::kMax);
  EXPECT_EQ(rows[13].pool, PoolKind::kMax);
}

TEST(Experiments, AnOverrideCanReadTheTableTheOtherWay) {
  const Config config = load_config(
      kConfigs + "imagenet/bn_baseline.yaml",
      {"model.network.rows.inception_4c.projection=128", "model.network.rows.inception_4d={projection: 128}",
       "model.network.rows.conv1.depth_multiplier=8", "model.network.auxiliary={after: inception_4d}"});
  const auto& table = std::get<InceptionTable>(config.model.table);
  EXPECT_EQ(table.rows[9].projection, 128);
  EXPECT_EQ(table.rows[10].projection, 128);
  EXPECT_EQ(table.rows[0].depth_multiplier, 8);
  ASSERT_TRUE(table.auxiliary.has_value());
  EXPECT_EQ(table.auxiliary->units, 768);
}

// What a file changes in its base, as "key: from -> to".
std::vector<std::string> changes(const std::string& from, const std::string& to) {
  return diff(load_config(kConfigs + from), load_config(kConfigs + to));
}

struct Sentence {
  const char* file;
  const char* base;
  std::vector<std::string> changes;  // on ImageNet
};
std::ostream& operator<<(std::ostream& out, const Sentence& sentence) { return out << sentence.file; }

// Paper: sec. 4.2.1-4.2.3, and each of the changes of sec. 4.2.1 alone.
std::vector<Sentence> sentences() {
  const std::string rate = "train.learning_rate.initial: ", decay = "train.learning_rate.decay_epochs: ";
  const std::string norm = "model.local_response_norm: ", dropout = "model.dropout: ";
  const std::string x5 = rate + "0.0015 -> 0.0075", faster = decay + "8 -> 1.3333333333333333";
  return {
      {"bn_baseline", "inception", {"model.normalization: none -> batch"}},
      {"inception_x5", "inception", {x5}},
      {"inception_sigmoid", "inception", {"model.activation: relu -> sigmoid"}},
      {"bn_x5",
       "bn_baseline",
       {norm + "true -> false", dropout + "0.4 -> 0", "data.distortion: 1 -> 0.5",
        "data.shuffle: shards -> within_shard", x5, faster, "train.l2: 0.0002 -> 4e-05"}},
      {"bn_x30", "bn_x5", {rate + "0.0075 -> 0.045"}},
      {"bn_x5_sigmoid", "bn_x5", {"model.activation: relu -> sigmoid"}},
      {"ablation/add_learning_rate", "bn_baseline", {x5}},
      {"ablation/add_dropout", "bn_baseline", {dropout + "0.4 -> 0"}},
      {"ablation/add_l2", "bn_baseline", {"train.l2: 0.0002 -> 4e-05"}},
      {"ablation/add_decay", "bn_baseline", {faster}},
      {"ablation/add_local_response_norm", "bn_baseline", {norm + "true -> false"}},
      {"ablation/add_shuffling", "bn_baseline", {"data.shuffle: shards -> within_shard"}},
      {"ablation/add_distortion", "bn_baseline", {"data.distortion: 1 -> 0.5"}},
      {"ablation/leave_out_learning_rate", "bn_x5", {rate + "0.0075 -> 0.0015"}},
      {"ablation/leave_out_dropout", "bn_x5", {dropout + "0 -> 0.4"}},
      {"ablation/leave_out_l2", "bn_x5", {"train.l2: 4e-05 -> 0.0002"}},
      {"ablation/leave_out_decay", "bn_x5", {decay + "1.3333333333333333 -> 8"}},
      {"ablation/leave_out_local_response_norm", "bn_x5", {norm + "false -> true"}},
      {"ablation/leave_out_shuffling", "bn_x5", {"data.shuffle: within_shard -> shards"}},
      {"ablation/leave_out_distortion", "bn_x5", {"data.distortion: 0.5 -> 1"}},
      {"ensemble/larger_init", "bn_x30", {"model.init_scale: 1 -> 1.5"}},
      {"ensemble/dropout_5", "bn_x30", {dropout + "0 -> 0.05", "train.seed: 1 -> 2"}},
      {"ensemble/dropout_10", "bn_x30", {dropout + "0 -> 0.1", "train.seed: 1 -> 3"}},
      {"ensemble/per_activation", "bn_x30", {"model.per_activation: [] -> [inception_5b]", "train.seed: 1 -> 4"}},
      {"ensemble/larger_init_dropout_5",
       "bn_x30",
       {dropout + "0 -> 0.05", "model.init_scale: 1 -> 2", "train.seed: 1 -> 5"}},
      {"ensemble/per_activation_dropout_10",
       "bn_x30",
       {dropout + "0 -> 0.1", "model.per_activation: [] -> [inception_5b]", "train.seed: 1 -> 6"}},
  };
}

class NetworkOfThePaper : public testing::TestWithParam<Sentence> {};

TEST_P(NetworkOfThePaper, DiffersByItsSentenceAlone) {
  const Sentence& sentence = GetParam();
  const std::string file = std::string("/") + sentence.file + ".yaml",
                    base = std::string("/") + sentence.base + ".yaml";
  std::vector<std::string> found = changes("imagenet" + base, "imagenet" + file);
  // The paper gives BN-x5 and what follows from it fewer steps.
  std::erase(found, "train.steps: 31000000 -> 6000000");
  EXPECT_EQ(found, sentence.changes);

  // The scaled study changes the same keys.
  const auto keys_of = [](const std::vector<std::string>& lines) {
    std::vector<std::string> keys;
    for (const std::string& line : lines) keys.push_back(line.substr(0, line.find(':')));
    return keys;
  };
  EXPECT_EQ(keys_of(changes("tiny_imagenet" + base, "tiny_imagenet" + file)), keys_of(sentence.changes));
}

INSTANTIATE_TEST_SUITE_P(All, NetworkOfThePaper, testing::ValuesIn(sentences()), [](const auto& test) {
  std::string name = test.param.file;
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
});

// Ratios of sec. 4.2.1 and 4.2.2, whatever the plain network's own rate is.
TEST(ScaledStudy, KeepsThePapersRatios) {
  for (const std::string set : {"imagenet/", "tiny_imagenet/", "tiny_imagenet_32/"}) {
    const auto train_of = [&](const char* name) { return load_config(kConfigs + set + name + ".yaml").train; };
    const TrainOptions plain = train_of("inception"), x5 = train_of("bn_x5");
    EXPECT_EQ(plain.batch, 32);
    EXPECT_DOUBLE_EQ(train_of("bn_baseline").learning_rate.initial, plain.learning_rate.initial);
    EXPECT_DOUBLE_EQ(train_of("inception_x5").learning_rate.initial, 5 * plain.learning_rate.initial);
    EXPECT_DOUBLE_EQ(x5.learning_rate.initial, 5 * plain.learning_rate.initial);
    EXPECT_DOUBLE_EQ(train_of("bn_x30").learning_rate.initial, 30 * plain.learning_rate.initial);
    EXPECT_DOUBLE_EQ(x5.learning_rate.decay_epochs, plain.learning_rate.decay_epochs / 6);
    EXPECT_DOUBLE_EQ(x5.l2, plain.l2 / 5);
  }
}

// The same rates, also where a file of the ablation writes them out.
TEST(ScaledStudy, ItsAblationsTurnBackToTheirBases) {
  for (const std::string set : {"imagenet/", "tiny_imagenet/", "tiny_imagenet_32/"}) {
    const auto load = [&](const std::string& name) { return load_config(kConfigs + set + name + ".yaml"); };
    const Config baseline = load("bn_baseline"), x5 = load("bn_x5");
    for (const char* change :
         {"learning_rate", "dropout", "l2", "decay", "local_response_norm", "shuffling", "distortion"}) {
      const std::vector<std::string> added = diff(load(std::string("ablation/add_") + change), x5);
      const std::vector<std::string> left = diff(baseline, load(std::string("ablation/leave_out_") + change));
      const std::vector<std::string> all = diff(baseline, x5);
      EXPECT_EQ(added.size() + 1, all.size()) << set << change;
      EXPECT_EQ(left.size() + 1, all.size()) << set << change;
      EXPECT_EQ(added, left) << set << change;
    }
  }
}

TEST(ScaledStudy, HasThePapersOwnRatesToo) {
  for (const std::string name :
       {"inception", "bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid", "inception_x5", "inception_sigmoid"}) {
    const std::string file = "tiny_imagenet/paper_rates/" + name + ".yaml";
    const LearningRateOptions paper = load_config(kConfigs + "imagenet/" + name + ".yaml").train.learning_rate;
    const LearningRateOptions ours = load_config(kConfigs + file).train.learning_rate;
    EXPECT_DOUBLE_EQ(ours.initial, paper.initial) << name;
    EXPECT_NEAR(ours.decay_epochs, paper.decay_epochs / 10, 1e-12) << name;
    for (const std::string& line : changes("tiny_imagenet/" + name + ".yaml", file)) {
      EXPECT_TRUE(line.starts_with("train.learning_rate.")) << line;
    }
  }
}

TEST(ScaledStudy, At32DiffersFrom64InItsSizeAlone) {
  const std::vector<std::string> expected = changes("tiny_imagenet/inception.yaml", "tiny_imagenet_32/inception.yaml");
  for (const std::string& line : expected) {
    EXPECT_TRUE(line.starts_with("model.network.") || line.starts_with("data.image_size: 64 -> 32") ||
                line.starts_with("data.resize_shorter: 0 -> 32"))
        << line;
  }
  for (const std::string name :
       {"bn_baseline", "bn_x5", "bn_x30", "bn_x5_sigmoid", "inception_x5", "inception_sigmoid"}) {
    EXPECT_EQ(changes("tiny_imagenet/" + name + ".yaml", "tiny_imagenet_32/" + name + ".yaml"), expected);
  }
}

TEST(Experiments, BatchNormalisationIsTheOnlyDifference) {
  EXPECT_EQ(changes("mnist/plain.yaml", "mnist/batch_norm.yaml"),
            (std::vector<std::string>{"model.normalization: none -> batch"}));
  EXPECT_EQ(changes("quickstart/plain.yaml", "quickstart/batch_norm.yaml"),
            (std::vector<std::string>{"model.normalization: none -> batch"}));
}

// Paper: sec. 4.1 and 4.2.
TEST(Experiments, HoldThePapersNumbers) {
  const Config mnist = load_config(kConfigs + "mnist/plain.yaml");
  EXPECT_EQ(mnist.train.batch, 60);
  EXPECT_EQ(mnist.train.steps, 50000);
  EXPECT_EQ(mnist.model.activation, Activation::kSigmoid);
  EXPECT_EQ(std::get<MlpTable>(mnist.model.table).hidden, (std::vector<int64_t>{100, 100, 100}));
  const Config inception = load_config(kConfigs + "imagenet/inception.yaml");
  EXPECT_EQ(inception.train.batch, 32);
  EXPECT_DOUBLE_EQ(inception.train.learning_rate.initial, 0.0015);
  EXPECT_DOUBLE_EQ(inception.train.learning_rate.decay_factor, 0.96);
  EXPECT_DOUBLE_EQ(inception.train.learning_rate.decay_epochs, 8);
  EXPECT_DOUBLE_EQ(inception.model.dropout, 0.4);
}

}  // namespace
}  // namespace bn
