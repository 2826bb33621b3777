// The resolved text, differences and the help text all follow from the schema.
#include <gtest/gtest.h>

#include <algorithm>

#include "config/fixtures.hpp"

namespace bn::test {
namespace {

Config experiment(const std::string& more = kTrain) { return parse_config(kExperiment + more, "run.yaml"); }

TEST(Write, KeepsEveryValue) {
  Config config = experiment();
  config.train.seed = 18446744073709551615ULL;
  config.train.l2 = 1.0 / 3.0;
  config.train.average_decay = 0.1 + 0.2;
  config.model.batch_norm.eps = 1.1754944e-38F;
  config.model.init_scale = 1e-30 / 3;
  config.train.init.bias = -0.1F;
  config.data.mean = {0.1, -1e-17, 123456789.123456789};
  config.precision = DType::kBf16;
  config.device = Device::kCuda;
  const Config again = parse_config(to_yaml(config), "resolved.yaml");
  EXPECT_EQ(again.train.seed, config.train.seed);
  EXPECT_EQ(again.train.l2, config.train.l2);
  EXPECT_EQ(again.train.average_decay, config.train.average_decay);
  EXPECT_EQ(again.model.batch_norm.eps, config.model.batch_norm.eps);
  EXPECT_EQ(again.model.init_scale, config.model.init_scale);
  EXPECT_EQ(again.train.init.bias, config.train.init.bias);
  EXPECT_EQ(again.data.mean, config.data.mean);
  EXPECT_EQ(again.precision, DType::kBf16);
  EXPECT_EQ(again.device, Device::kCuda);
}

TEST(Write, KeepsEveryText) {
  for (const std::string text : {"plain/path-1.tar",
                                 "two words",
                                 "null",
                                 "~",
                                 "- a",
                                 "#",
                                 "a: b",
                                 "\"quoted\"",
                                 "it's",
                                 "back\\slash",
                                 "tab\tand\nline",
                                 "[list]",
                                 "*star",
                                 "\xc3\xbcml\xc3\xa4ut",
                                 "true",
                                 "12",
                                 "...",
                                 "---",
                                 " edge ",
                                 "\x01\x7f",
                                 "@",
                                 "%",
                                 "{}",
                                 "&a",
                                 "!tag",
                                 "|"}) {
    Config config = experiment();
    config.data.kind = DatasetKind::kTar;
    config.data.train = {text, "second"};
    config.data.validation = {text};
    config.data.classes = text;
    const Config again = parse_config(to_yaml(config), "resolved.yaml");
    EXPECT_EQ(again.data.train, config.data.train) << text;
    EXPECT_EQ(again.data.classes, text);
  }
}

TEST(Diff, ListsOneDifferenceALine) {
  const Config a = experiment();
  Config b = a;
  EXPECT_EQ(diff(a, b), std::vector<std::string>{});
  b.model.normalization = Normalization::kNone;
  b.train.learning_rate.initial = 0.05;
  b.data.mean = {0, 0.5, 0};
  b.threads = 2;
  EXPECT_EQ(diff(a, b), (std::vector<std::string>{
                            "model.normalization: batch -> none",
                            "data.mean: [0, 0, 0] -> [0, 0.5, 0]",
                            "train.learning_rate.initial: 0.01 -> 0.05",
                            "threads: 0 -> 2",
                        }));
}

// A run goes on for more steps with the same rates before them, or not at all.
TEST(Diff, ALongerRunIsAnotherExperimentWhereTheRatesDependOnItsLength) {
  Config a = experiment();
  Config b = a;
  b.train.steps = 20;
  EXPECT_EQ(experiment_diff(a, b), std::vector<std::string>{});
  a.train.learning_rate.shape = b.train.learning_rate.shape = DecayShape::kCosine;
  EXPECT_EQ(experiment_diff(a, b), std::vector<std::string>{"train.steps: 10 -> 20"});
}

TEST(Diff, ComparesRowsByName) {
  const TableRow conv1{.name = "conv1", .type = RowType::kConvolution, .patch = 3, .filters = 8};
  const TableRow conv2{.name = "conv2", .type = RowType::kConvolution, .patch = 3, .filters = 16};
  const TableRow pool{.name = "pool", .type = RowType::kMaxPool, .patch = 3, .stride = 2};
  Config a = experiment();
  a.model.table = InceptionTable{.image_size = 32, .rows = {conv1, conv2}};
  Config b = a;
  TableRow wider = conv2;
  wider.filters = 32;
  wider.depth_multiplier = 8;
  auto& table = std::get<InceptionTable>(b.model.table);
  table.rows = {pool, conv1, wider};
  table.auxiliary = AuxiliaryHead{.after = "conv1"};
  EXPECT_EQ(
      diff(a, b),
      (std::vector<std::string>{
          "model.network.rows.conv2.filters: 16 -> 32",
          "model.network.rows.conv2.depth_multiplier: absent -> 8",
          "model.network.rows.pool: absent -> {row: pool, type: max_pool, patch: 3, stride: 2}",
          "model.network.auxiliary: none -> {after: conv1, pool_patch: 5, pool_stride: 3, filters: 128, units: 768, "
          "weight: 0.3}",
      }));
}

TEST(Help, DescribesEveryKeyThatIsWritten) {
  const std::string help = config_help();
  EXPECT_CONTAINS(help, "\ntrain.momentum: a number of at least 0 and below 1 [0.9]\n    0 = plain gradient descent\n");
  EXPECT_CONTAINS(help, "\nmodel.network.hidden (kind: mlp): a list [...], each an integer from 1 to 16384\n");
  EXPECT_CONTAINS(help, "\nmodel.network.rows[].reduce (type: convolution): an integer from 0 to 16384 [0]\n");
  EXPECT_CONTAINS(help, "\nmodel.network.auxiliary.units (kind: inception): an integer from 1 to 16384 [768]\n");
  EXPECT_EQ(help.rfind("base: text\n", 0), 0U);
  // Every line of a resolved text that is not nested too deep to read off starts with a key the help text knows.
  const std::string yaml = to_yaml(experiment());
  EXPECT_GT(std::count(yaml.begin(), yaml.end(), '\n'), 70);
  std::string group;
  for (size_t begin = 0; begin < yaml.size();) {
    const size_t end = yaml.find('\n', begin), colon = yaml.find(':', begin);
    const std::string key = yaml.substr(begin, colon - begin);
    begin = end + 1;
    if (key.front() != ' ') group = key;
    if (key.starts_with("   ")) continue;
    const std::string path = key.front() == ' ' ? group + "." + key.substr(2) : key;
    EXPECT_CONTAINS(help, "\n" + path);
  }
}

}  // namespace
}  // namespace bn::test
