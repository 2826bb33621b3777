// The change that each pass makes to the graph.
#include <gtest/gtest.h>

#include <algorithm>

#include "bn/cpu_backend.hpp"
#include "bn/models.hpp"
#include "plan/graph.hpp"

namespace bn {
namespace {

// conv -> bn -> relu -> dropout -> linear -> bias -> loss, with a second conv reading the activation.
Net small_net(BatchNormScope scope = BatchNormScope::kSpatial) {
  NetBuilder builder({1, 4, 4, 3});
  ValueId x = builder.add("conv", Conv2d{.out_channels = 8}, {builder.images()});
  x = builder.add("bn", BatchNorm{.scope = scope}, {x});
  const ValueId act = builder.add("act", Activate{Activation::kRelu}, {x});
  const ValueId left = builder.add("left", Conv2d{.out_channels = 8}, {act});
  x = builder.add("concat", Concat{}, {left, act});
  x = builder.add("dropout", Dropout{.rate = 0.5F}, {x});
  x = builder.add("linear", Linear{.out_features = 5}, {x});
  builder.loss("loss", builder.add("bias", BiasActivation{}, {x}));
  return std::move(builder).build();
}

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> found;
  for (const GraphNode& node : graph.nodes) found.push_back(node.name);
  return found;
}

const GraphNode& node_of(const Graph& graph, const std::string& name) {
  return *std::find_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const GraphNode& node) { return node.name == name; });
}

using Names = std::vector<std::string>;

TEST(MakeGraph, TakesWhatThePurposeNeeds) {
  const Net net = small_net();
  EXPECT_EQ(make_graph(net, {.batch = 2, .purpose = Purpose::kTrain}).nodes.size(), 9U);
  EXPECT_EQ(names(make_graph(net, {.batch = 2, .purpose = Purpose::kEvaluate})).back(), "bias");
  EXPECT_EQ(names(make_graph(net, {.batch = 2, .purpose = Purpose::kStatistics})).back(), "bias");
}

TEST(MakeGraph, KeepsEverythingFromTheLastLinearOpInF32) {
  const Graph graph = make_graph(small_net(), {.batch = 2, .activations = DType::kBf16});
  EXPECT_EQ(graph.values[node_of(graph, "dropout").output].dtype, DType::kBf16);
  EXPECT_EQ(graph.values[node_of(graph, "linear").output].dtype, DType::kF32);
  EXPECT_EQ(graph.values[node_of(graph, "bias").output].dtype, DType::kF32);
  EXPECT_EQ(graph.values[node_of(graph, "loss").output].dtype, DType::kF32);
  EXPECT_EQ(graph.values[graph.labels].dtype, DType::kI32);
}

TEST(RemoveDropout, RewiresItsConsumers) {
  Graph graph = make_graph(small_net(), {.batch = 2, .purpose = Purpose::kEvaluate});
  remove_dropout(graph);
  EXPECT_EQ(names(graph), (Names{"conv", "bn", "act", "left", "concat", "linear", "bias"}));
  EXPECT_EQ(node_of(graph, "linear").inputs[0], node_of(graph, "concat").output);
}

TEST(FoldBatchNorm, AbsorbsNormBiasAndActivation) {
  Graph graph = make_graph(small_net(), {.batch = 2, .purpose = Purpose::kEvaluateFolded});
  remove_dropout(graph);
  fold_batch_norm(graph);
  EXPECT_EQ(names(graph), (Names{"conv", "left", "concat", "linear"}));
  const GraphNode& conv = node_of(graph, "conv");
  const auto& folded = std::get<Conv2d>(conv.spec).folded;
  ASSERT_TRUE(folded.has_value());
  EXPECT_EQ(folded->eps, 1e-3F);
  EXPECT_EQ(folded->activation, Activation::kRelu);
  EXPECT_EQ(conv.parameters.size(), 3U);
  EXPECT_EQ(conv.state.size(), 2U);
  EXPECT_FALSE(std::get<Conv2d>(node_of(graph, "left").spec).folded.has_value());  // nothing follows it
  const GraphNode& linear = node_of(graph, "linear");
  EXPECT_FALSE(std::get<Linear>(linear.spec).folded->eps.has_value());
  EXPECT_EQ(linear.output, graph.logits);
}

TEST(FoldBatchNorm, LeavesPerActivationNormsAlone) {
  Graph graph =
      make_graph(small_net(BatchNormScope::kPerActivation), {.batch = 2, .purpose = Purpose::kEvaluateFolded});
  fold_batch_norm(graph);
  EXPECT_FALSE(std::get<Conv2d>(node_of(graph, "conv").spec).folded.has_value());
  EXPECT_EQ(names(graph)[1], "bn");
}

TEST(FuseActivation, JoinsBatchNormWithItsActivation) {
  const auto backend = make_cpu_backend({.threads = 1});
  Graph graph = make_graph(small_net(), {.batch = 2});
  const int activated = node_of(graph, "act").output;
  fuse_activation(graph, *backend);
  EXPECT_EQ(names(graph), (Names{"conv", "bn", "left", "concat", "dropout", "linear", "bias", "loss"}));
  EXPECT_EQ(std::get<BatchNorm>(node_of(graph, "bn").spec).activation, Activation::kRelu);
  EXPECT_EQ(node_of(graph, "bn").output, activated);
}

TEST(FuseActivation, LeavesAnImplementationThatCannotAlone) {
  const auto backend = make_cpu_backend({.threads = 1});
  Graph graph = make_graph(small_net(), {.batch = 2});
  for (GraphNode& node : graph.nodes) {
    if (auto* spec = std::get_if<BatchNorm>(&node.spec)) spec->implementation = BatchNormImplementation::kOnednn;
  }
  fuse_activation(graph, *backend);
  EXPECT_EQ(graph.nodes.size(), 9U);
}

TEST(EliminateConcat, LetsColumnOpsWriteTheirSlices) {
  const auto backend = make_cpu_backend({.threads = 1});
  NetBuilder builder({1, 4, 4, 3});
  const ValueId pool = builder.add("pool", Pool2d{.kernel = 3, .stride = 1, .pad = 1}, {builder.images()});
  ValueId x = builder.add("conv", Conv2d{.out_channels = 8}, {builder.images()});
  x = builder.add("bn", BatchNorm{}, {x});
  x = builder.add("concat", Concat{}, {x, pool});
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {x}));
  Graph graph = make_graph(std::move(builder).build(), {.batch = 2});
  const int whole = node_of(graph, "concat").output;
  eliminate_concat(graph, *backend);
  EXPECT_EQ(names(graph), (Names{"pool", "conv", "bn", "linear", "loss"}));
  const GraphValue& slice = graph.values[node_of(graph, "pool").output];
  EXPECT_EQ(slice.view_of, whole);
  EXPECT_EQ(slice.view_channel, 8);
  EXPECT_EQ(graph.row_stride(node_of(graph, "bn").output), 11);
  // The whole's gradient comes from the linear op; the batch norm's backward reads its slice of it;
  // nothing before the pool learns.
  std::vector<std::string> order;
  for (const BackwardStep& step : schedule_backward(graph).steps) order.push_back(graph.nodes[step.node].name);
  EXPECT_EQ(order, (Names{"loss", "linear", "bn", "conv"}));
}

TEST(EliminateConcat, StaysWhereAConvolutionWritesDirectly) {
  const auto backend = make_cpu_backend({.threads = 1});
  Graph graph = make_graph(small_net(), {.batch = 2});  // "left" is a bare convolution, "act" is read twice
  eliminate_concat(graph, *backend);
  EXPECT_EQ(graph.nodes.size(), 9U);
}

TEST(ScheduleBackward, SumsTheGradientsOfAValueReadTwice) {
  const Graph graph = make_graph(small_net(), {.batch = 2});
  const BackwardSchedule schedule = schedule_backward(graph);
  std::vector<std::string> order;
  for (const BackwardStep& step : schedule.steps) {
    order.push_back(step.sum_value >= 0 ? "sum " + graph.values[step.sum_value].name : graph.nodes[step.node].name);
  }
  EXPECT_EQ(order, (Names{"loss", "bias", "linear", "dropout", "concat", "left", "sum act", "act", "bn", "conv"}));
  EXPECT_TRUE(schedule.partials[graph.images].empty());  // no gradient of the images
  EXPECT_TRUE(schedule.partials[graph.labels].empty());
}

TEST(ScheduleBackward, LeavesOutWhatReachesNoLoss) {
  NetBuilder builder({1, 4, 4, 3});
  const ValueId x = builder.add("linear", Linear{.out_features = 5}, {builder.images()});
  builder.add("unused", Linear{.out_features = 3}, {x});
  builder.loss("loss", x);
  const Graph graph = make_graph(std::move(builder).build(), {.batch = 2});
  EXPECT_EQ(schedule_backward(graph).steps.size(), 2U);
}

}  // namespace
}  // namespace bn
