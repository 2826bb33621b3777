// The files under configs/.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "bn/config.hpp"
#include "support/configurations.hpp"

namespace bn {
namespace {

const std::string kConfigs = BN_SOURCE_DIR "/configs/";

class ExperimentFile : public testing::TestWithParam<std::string> {};

TEST_P(ExperimentFile, LoadsAndItsResolvedTextReadsBackTheSame) {
  const Config config = load_config(GetParam());
  EXPECT_NO_THROW(check(config));
  const std::string text = to_yaml(config);
  const Config again = parse_config(text, "resolved.yaml");
  EXPECT_EQ(to_yaml(again), text);
  EXPECT_EQ(diff(config, again), std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(All, ExperimentFile, testing::ValuesIn(test::configurations()), [](const auto& test) {
  std::string name = test.param.substr(kConfigs.size());
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
                         testing::Values(std::pair{"inception.yaml", 224}, std::pair{"inception_64.yaml", 64}),
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

TEST(Experiments, ThePublicNetworkHasItsPublishersInput) {
  const Config config = load_config(kConfigs + "imagenet/public_bn_inception.yaml");
  const auto& table = std::get<InceptionTable>(config.model.table);
  EXPECT_EQ(table.pool_border, PoolBorder::kIncludePadding);
  EXPECT_EQ(table.rows[9].projection, 128);
  EXPECT_EQ(table.rows[10].projection, 128);
  EXPECT_FLOAT_EQ(config.model.batch_norm.eps, 1e-5F);
  for (const double deviation : config.data.std) EXPECT_EQ(static_cast<float>(1 / (255 * deviation)), 1.0F);
  std::vector<double> means;
  for (const double mean : config.data.mean) means.push_back(static_cast<float>(255 * mean));
  EXPECT_EQ(means, (std::vector<double>{128, 117, 104}));
}

// The changes that a file makes to its base, as "key: from -> to".
std::vector<std::string> changes(const std::string& from, const std::string& to) {
  return diff(load_config(kConfigs + from), load_config(kConfigs + to));
}

struct Sentence {
  const char* file;
  const char* base;
  std::vector<std::string> changes;  // those of the run on ImageNet
};
std::ostream& operator<<(std::ostream& out, const Sentence& sentence) { return out << sentence.file; }

// Paper: sec. 4.2.1 and 4.2.2.
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

INSTANTIATE_TEST_SUITE_P(All, NetworkOfThePaper, testing::ValuesIn(sentences()),
                         [](const auto& test) { return test.param.file; });

// Ratios of sec. 4.2.1 and 4.2.2, whatever the plain network's own rate is.
TEST(ScaledStudy, KeepsThePapersRatios) {
  for (const std::string set : {"imagenet/", "tiny_imagenet/"}) {
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

TEST(Schema, IsTheOneBesideTheConfigurations) {
  std::ifstream file(kConfigs + "schema.json");
  const std::string stored{std::istreambuf_iterator<char>(file), {}};
  EXPECT_TRUE(stored == config_schema()) << "write it anew: bninception config schema > configs/schema.json";
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
