// Counts and shapes of the paper's network (Fig. 5) and of its variants.
#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "bn/models.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

TableRow convolution(const char* name, int64_t patch, int64_t stride, int64_t reduce, int64_t filters) {
  return {.name = name,
          .type = RowType::kConvolution,
          .patch = patch,
          .stride = stride,
          .filters = filters,
          .reduce = reduce};
}

TableRow pool(const char* name, RowType type, int64_t patch, int64_t stride) {
  return {.name = name, .type = type, .patch = patch, .stride = stride};
}

struct Module {
  const char* name;
  int64_t stride, conv1x1, reduce3x3, conv3x3, reduce_double, double3x3;
  PoolKind pool;
  int64_t projection;
};

InceptionTable paper_table(int64_t projection_4cd = 96) {
  using enum PoolKind;
  const Module modules[] = {
      {"inception_3a", 1, 64, 64, 64, 64, 96, kAverage, 32},
      {"inception_3b", 1, 64, 64, 96, 64, 96, kAverage, 64},
      {"inception_3c", 2, 0, 128, 160, 64, 96, kMax, 0},
      {"inception_4a", 1, 224, 64, 96, 96, 128, kAverage, 128},
      {"inception_4b", 1, 192, 96, 128, 96, 128, kAverage, 128},
      {"inception_4c", 1, 160, 128, 160, 128, 160, kAverage, projection_4cd},
      {"inception_4d", 1, 96, 128, 192, 160, 192, kAverage, projection_4cd},
      {"inception_4e", 2, 0, 128, 192, 192, 256, kMax, 0},
      {"inception_5a", 1, 352, 192, 320, 160, 224, kAverage, 128},
      {"inception_5b", 1, 352, 192, 320, 192, 224, kMax, 128},
  };
  InceptionTable table;
  table.rows = {convolution("conv1", 7, 2, 0, 64), pool("pool1", RowType::kMaxPool, 3, 2),
                convolution("conv2", 3, 1, 64, 192), pool("pool2", RowType::kMaxPool, 3, 2)};
  for (const Module& m : modules) {
    table.rows.push_back({.name = m.name,
                          .stride = m.stride,
                          .conv1x1 = m.conv1x1,
                          .conv3x3_reduce = m.reduce3x3,
                          .conv3x3 = m.conv3x3,
                          .double3x3_reduce = m.reduce_double,
                          .double3x3 = m.double3x3,
                          .pool = m.pool,
                          .projection = m.projection});
  }
  table.rows.push_back(pool("pool5", RowType::kAveragePool, 7, 1));
  table.local_response_norm_after = {"pool1", "conv2"};
  return table;
}

ModelOptions options_of(InceptionTable table) {
  ModelOptions options;
  options.table = std::move(table);
  return options;
}

Shape output_of(const Net& net, const std::string& op) {
  const Node* node = net.find(op);
  EXPECT_NE(node, nullptr) << op;
  return node == nullptr ? Shape{} : net.values()[node->output.index].shape;
}

// The published counts are of convolution weights and of the classifier's weights and 1,000 biases.
int64_t published_count(const Net& net) { return net.weight_count() + net.classes(); }

TEST(Inception, DenseStemHasThePapersCounts) {
  const Net net = build_network(options_of(paper_table()));
  EXPECT_EQ(published_count(net), 11'175'080);
  EXPECT_NEAR(static_cast<double>(net.multiply_adds()), 2.019e9, 0.0005e9);
  // The rest are gamma and beta of 9,952 channels.
  EXPECT_EQ(net.parameter_count(), 11'175'080 + 19'904);
}

TEST(Inception, SeparableStemHasThePapersCounts) {
  InceptionTable table = paper_table();
  table.rows[0].depth_multiplier = 8;
  const Net net = build_network(options_of(table));
  EXPECT_EQ(published_count(net), 11'168'384);
  EXPECT_NEAR(static_cast<double>(net.multiply_adds()), 1.935e9, 0.0005e9);
}

TEST(Inception, WideProjectionsHaveThePublishedCount) {
  const Net net = build_network(options_of(paper_table(128)));
  EXPECT_EQ(published_count(net), 11'265'192);
  EXPECT_EQ(output_of(net, "inception_4c/concat").c, 608);
}

TEST(Inception, AuxiliaryHeadBringsThePapers13Point6Million) {
  ModelOptions options = options_of(paper_table());
  std::get<InceptionTable>(options.table).auxiliary = AuxiliaryHead{.after = "inception_4d"};
  options.normalization = Normalization::kNone;
  EXPECT_EQ(build_network(options).parameter_count(), 13'601'520);
  std::get<InceptionTable>(options.table).rows[0].depth_multiplier = 8;
  // The separable stem's depthwise half has no bias of its own here.
  EXPECT_EQ(build_network(options).parameter_count(), 13'594'824);
}

TEST(Inception, EveryRowHasThePrintedOutputSize) {
  const Net net = build_network(options_of(paper_table()));
  const std::pair<const char*, Shape> expected[] = {
      {"conv1/act", {1, 112, 112, 64}},
      {"pool1", {1, 56, 56, 64}},
      {"conv2/act", {1, 56, 56, 192}},
      {"pool2", {1, 28, 28, 192}},
      {"inception_3a/concat", {1, 28, 28, 256}},
      {"inception_3b/concat", {1, 28, 28, 320}},
      {"inception_3c/concat", {1, 14, 14, 576}},
      {"inception_4a/concat", {1, 14, 14, 576}},
      {"inception_4b/concat", {1, 14, 14, 576}},
      {"inception_4c/concat", {1, 14, 14, 576}},
      {"inception_4d/concat", {1, 14, 14, 576}},
      {"inception_4e/concat", {1, 7, 7, 1024}},
      {"inception_5a/concat", {1, 7, 7, 1024}},
      {"inception_5b/concat", {1, 7, 7, 1024}},
      {"pool5", {1, 1, 1, 1024}},
      {"logits/bias", {1, 1, 1, 1000}},
  };
  for (const auto& [op, shape] : expected) EXPECT_EQ(output_of(net, op), shape) << op;
}

// A module's pool keeps the size of its map, however small that is.
TEST(Inception, ModulesFitMapsOfTwoPixels) {
  InceptionTable table = paper_table();
  table.image_size = 64;
  table.rows.back().patch = 0;  // the last pool: over the whole map
  const Net net = build_network(options_of(table));
  EXPECT_EQ(output_of(net, "inception_4e/concat"), (Shape{1, 2, 2, 1024}));
  EXPECT_EQ(output_of(net, "inception_5b/concat"), (Shape{1, 2, 2, 1024}));
}

TEST(Inception, BiasStandsExactlyWhereBatchNormDoesNot) {
  ModelOptions options = options_of(paper_table());
  for (const Normalization normalization : {Normalization::kBatch, Normalization::kNone}) {
    options.normalization = normalization;
    int64_t biases = 0, batch_norms = 0;
    const Net net = build_network(options);
    for (const Node& node : net.nodes()) {
      biases += std::holds_alternative<BiasActivation>(node.spec) ? 1 : 0;
      batch_norms += std::holds_alternative<BatchNorm>(node.spec) ? 1 : 0;
    }
    EXPECT_EQ(batch_norms, normalization == Normalization::kBatch ? 69 : 0);
    EXPECT_EQ(biases, normalization == Normalization::kBatch ? 1 : 70);
  }
}

TEST(Inception, LocalResponseNormStandsAfterPool1AndConv2) {
  ModelOptions options = options_of(paper_table());
  options.local_response_norm = true;
  const Net net = build_network(options);
  EXPECT_NE(net.find("pool1/lrn"), nullptr);
  EXPECT_NE(net.find("conv2/lrn"), nullptr);
  EXPECT_EQ(build_network(options_of(paper_table())).find("pool1/lrn"), nullptr);
}

TEST(Inception, PerActivationAppliesToTheNamedRowsOnly) {
  ModelOptions options = options_of(paper_table());
  options.per_activation = {"inception_5b"};
  const Net net = build_network(options);
  EXPECT_EQ(output_of(net, "inception_5b/1x1/bn"), (Shape{1, 7, 7, 352}));
  EXPECT_EQ(net.state()[net.find("inception_5b/1x1/bn")->state[0]].channels, 7 * 7 * 352);
  EXPECT_EQ(net.state()[net.find("inception_5a/1x1/bn")->state[0]].channels, 352);
}

TEST(Inception, BatchNormStandsOnEitherSideOfTheActivation) {
  ModelOptions options = options_of(paper_table());
  EXPECT_EQ(build_network(options).find("inception_3a/1x1/bias"), nullptr);
  options.placement = BatchNormPlacement::kAfterActivation;
  const Net net = build_network(options);
  const auto input_of = [&](const std::string& op) { return net.find("inception_3a/1x1/" + op)->inputs[0]; };
  const auto output_of_op = [&](const std::string& op) { return net.find("inception_3a/1x1/" + op)->output; };
  EXPECT_EQ(input_of("bias"), output_of_op("conv"));
  EXPECT_EQ(input_of("act"), output_of_op("bias"));
  EXPECT_EQ(input_of("bn"), output_of_op("act"));
}

TEST(Inception, PoolBorderIsThatOfEveryAveragePool) {
  InceptionTable table = paper_table();
  const auto border_of = [&table](const char* op) {
    const Net net = build_network(options_of(table));
    return std::get<Pool2d>(net.find(op)->spec).border;
  };
  EXPECT_EQ(border_of("inception_3a/pool"), PoolBorder::kExcludePadding);
  table.pool_border = PoolBorder::kIncludePadding;
  EXPECT_EQ(border_of("inception_3a/pool"), PoolBorder::kIncludePadding);
  EXPECT_EQ(border_of("pool5"), PoolBorder::kIncludePadding);
  EXPECT_EQ(border_of("inception_5b/pool"), PoolBorder::kExcludePadding);  // a maximum, which has no divisor
}

TEST(Inception, WidthScalesEveryFilterCount) {
  ModelOptions options = options_of(paper_table());
  options.width = 0.5;
  const Net net = build_network(options);
  EXPECT_EQ(output_of(net, "conv1/act").c, 32);
  EXPECT_EQ(output_of(net, "inception_3a/concat").c, 32 + 32 + 48 + 16);
  EXPECT_EQ(output_of(net, "logits/bias").c, 1000);
}

TEST(Inception, UnknownRowsAreNamed) {
  ModelOptions options = options_of(paper_table());
  options.per_activation = {"inception_6a"};
  EXPECT_EQ(test::error_message<Error>([&] { build_network(options); }),
            "model.per_activation: the network's table has no row \"inception_6a\"");
}

TEST(Inception, AnImageTooSmallNamesTheRow) {
  InceptionTable table = paper_table();
  table.image_size = 8;
  EXPECT_EQ(test::error_message<Error>([&] { build_network(options_of(table)); }),
            "pool2: a 3x3 pool with stride 2 and padding 0 does not fit 2 pixels");
}

TEST(Mlp, HasTheMnistNetsLayers) {
  ModelOptions options;
  options.table = MlpTable{};
  options.classes = 10;
  options.activation = Activation::kSigmoid;
  const Net net = build_network(options);
  EXPECT_EQ(net.weight_count(), 784 * 100 + 2 * 100 * 100 + 100 * 10);
  EXPECT_EQ(output_of(net, "hidden3/bn"), (Shape{1, 1, 1, 100}));
  EXPECT_EQ(net.find("logits/bn"), nullptr);
}

}  // namespace
}  // namespace bn
