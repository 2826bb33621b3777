// The change that each pass makes to the graph.
#include <gtest/gtest.h>

#include <algorithm>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "plan/graph.hpp"
#include "plan/graphs.hpp"
#include "support/error_message.hpp"

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

// A kept output is there whatever the passes did to its op.
TEST(Compile, KeepsTheOutputOfAnOpThatAPassRemoved) {
  const Net net = small_net();
  const auto backend = make_cpu_backend({.threads = 1});
  Parameters parameters(net, *backend, DecayScope::kWeights, false);
  parameters.initialize(1, {});
  const auto outputs = [&](bool with_passes) {
    PlanOptions options{.batch = 2, .purpose = Purpose::kEvaluate, .keep = {"act", "concat"}};
    options.passes.fuse_activation = options.passes.eliminate_concat = with_passes;
    Plan plan = compile(net, parameters, *backend, options);
    std::vector<float> images(2 * 4 * 4 * 3);
    for (size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i % 7) - 3;
    const Tensor in = plan.images();
    for (int64_t row = 0; row < in.shape.rows(); ++row) {
      std::copy_n(&images[static_cast<size_t>(row * 3)], 3, in.as<float>() + row * in.row_stride);
    }
    plan.pack();
    plan.forward();
    std::vector<float> values;
    for (const char* op : {"act", "concat"}) {
      const Tensor y = plan.output(op);
      for (int64_t row = 0; row < y.shape.rows(); ++row) {
        const float* first = y.as<float>() + row * y.row_stride;
        values.insert(values.end(), first, first + y.shape.c);
      }
    }
    return values;
  };
  const std::vector<float> plain = outputs(false), passed = outputs(true);
  ASSERT_EQ(plain.size(), 2U * 16U * (8U + 16U));
  ASSERT_EQ(passed.size(), plain.size());
  EXPECT_GT(*std::max_element(plain.begin(), plain.end()), 0.1F);
  for (size_t i = 0; i < plain.size(); ++i) ASSERT_NEAR(passed[i], plain[i], 1e-5F) << i;
}

TEST(Compile, RefusesToKeepWhatIsPartOfAnotherOp) {
  const Net net = small_net();
  const auto backend = make_cpu_backend({.threads = 1});
  Parameters parameters(net, *backend, DecayScope::kWeights, false);
  const auto message = [&](const char* op) {
    return test::error_message<ConfigError>(
        [&] { compile(net, parameters, *backend, {.batch = 2, .purpose = Purpose::kEvaluateFolded, .keep = {op}}); });
  };
  EXPECT_EQ(message("conv"), "the output of \"conv\" cannot be kept: the op is part of the next");
  EXPECT_EQ(message("pool"), "the network has no op \"pool\" to keep");
}

}  // namespace
}  // namespace bn
