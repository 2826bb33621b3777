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
  Graph graph = make_graph(small_net(), {.batch = 2});
  const int activated = node_of(graph, "act").output;
  fuse_activation(graph);
  EXPECT_EQ(names(graph), (Names{"conv", "bn", "left", "concat", "dropout", "linear", "bias", "loss"}));
  EXPECT_EQ(std::get<BatchNorm>(node_of(graph, "bn").spec).activation, Activation::kRelu);
  EXPECT_EQ(node_of(graph, "bn").output, activated);
}

TEST(FuseActivation, LeavesAnImplementationThatCannotAlone) {
  Graph graph = make_graph(small_net(), {.batch = 2});
  for (GraphNode& node : graph.nodes) {
    if (auto* spec = std::get_if<BatchNorm>(&node.spec)) spec->implementation = BatchNormImplementation::kOnednn;
  }
  fuse_activation(graph);
  EXPECT_EQ(graph.nodes.size(), 9U);
}

TEST(EliminateConcat, LetsColumnOpsWriteTheirSlices) {
  NetBuilder builder({1, 4, 4, 3});
  const ValueId pool = builder.add("pool", Pool2d{.kernel = 3, .stride = 1, .pad = 1}, {builder.images()});
  ValueId x = builder.add("conv", Conv2d{.out_channels = 8}, {builder.images()});
  x = builder.add("bn", BatchNorm{}, {x});
  x = builder.add("concat", Concat{}, {x, pool});
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {x}));
  Graph graph = make_graph(std::move(builder).build(), {.batch = 2});
  const int whole = node_of(graph, "concat").output;
  eliminate_concat(graph);
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
  Graph graph = make_graph(small_net(), {.batch = 2});  // "left" is a bare convolution, "act" is read twice
  eliminate_concat(graph);
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

// stem -> relu, read by `readers` in this order: "pool" is a 3x3 pool, any other a 1x1 convolution; all are added up by
// a concatenation.
Graph module_graph(const Names& readers) {
  NetBuilder builder({1, 4, 4, 3});
  ValueId x = builder.add("stem", Conv2d{.out_channels = 8}, {builder.images()});
  x = builder.add("act", Activate{Activation::kRelu}, {x});
  std::vector<ValueId> outputs;
  for (const std::string& name : readers) {
    const bool is_pool = name.starts_with("pool");
    outputs.push_back(is_pool ? builder.add(name, Pool2d{.kernel = 3, .stride = 1, .pad = 1}, {x})
                              : builder.add(name, Conv2d{.out_channels = 8}, {x}));
  }
  x = builder.add("concat", Concat{}, outputs);
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {x}));
  return make_graph(std::move(builder).build(), {.batch = 2});
}

// The steps from the concatenation on: "pool + a + b" is a pool that adds two terms, "sum a b" a sum of its own.
Names steps_of(const Names& readers) {
  const Graph graph = module_graph(readers);
  BackwardSchedule schedule = schedule_backward(graph);
  fuse_gradient_sum(schedule, graph);
  Names steps;
  for (const BackwardStep& step : schedule.steps) {
    std::string text = step.node >= 0 ? graph.nodes[step.node].name : "sum";
    if (step.sum_value >= 0) {
      for (const GradientUse& use : schedule.partials[step.sum_value]) {
        if (use.node != step.node) text += (step.node >= 0 ? " + " : " ") + graph.nodes[use.node].name;
      }
      EXPECT_TRUE(step.node < 0 || schedule.partials[step.sum_value].back().node == step.node);
    }
    steps.push_back(text);
  }
  return {steps.begin() + 3, steps.end()};
}

TEST(FuseGradientSum, MovesThePoolToTheSumsPlace) {
  EXPECT_EQ(steps_of({"a", "pool"}), (Names{"a", "pool + a", "act", "stem"}));
  EXPECT_EQ(steps_of({"pool", "a"}), (Names{"a", "pool + a", "act", "stem"}));
  EXPECT_EQ(steps_of({"a", "b", "c", "pool"}), (Names{"c", "b", "a", "pool + c + b + a", "act", "stem"}));
}

// c + pool + a is pool + c + a to the bit, but c + b + pool is not pool + c + b.
TEST(FuseGradientSum, KeepsTheOrderOfTheTerms) {
  EXPECT_EQ(steps_of({"a", "pool", "c"}), (Names{"c", "a", "pool + c + a", "act", "stem"}));
  EXPECT_EQ(steps_of({"pool", "b", "c"}), (Names{"c", "b", "pool", "sum c b pool", "act", "stem"}));
}

TEST(FuseGradientSum, TakesOnePoolOfSeveral) {
  EXPECT_EQ(steps_of({"pool", "pool2"}), (Names{"pool", "pool2 + pool", "act", "stem"}));
}

TEST(FuseGradientSum, LeavesSumsThatNoPoolTakesPartIn) {
  EXPECT_EQ(steps_of({"a", "b"}), (Names{"b", "a", "sum b a", "act", "stem"}));
  EXPECT_EQ(steps_of({"pool"}), (Names{"pool", "act", "stem"}));
}

// The sum is written over its first term, so that no memory is taken for it.
TEST(FuseGradientSum, TakesNoMoreMemory) {
  NetBuilder builder({1, 16, 16, 3});
  const ValueId x = builder.add("stem", Conv2d{.out_channels = 32}, {builder.images()});
  const ValueId a = builder.add("a", Conv2d{.out_channels = 32}, {x});
  const ValueId pool = builder.add("pool", Pool2d{.kernel = 3, .stride = 1, .pad = 1}, {x});
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {builder.add("concat", Concat{}, {a, pool})}));
  const Net net = std::move(builder).build();
  const auto backend = make_cpu_backend({.threads = 1});
  Parameters parameters(net, *backend, DecayScope::kWeights, false);
  const auto plan = [&](bool fuses) {
    return compile(net, parameters, *backend, {.batch = 2, .passes = {.fuse_gradient_sum = fuses}});
  };
  const Plan fused = plan(true), apart = plan(false);
  EXPECT_LE(fused.memory().activations, apart.memory().activations);
  EXPECT_EQ(apart.memory().unshared - fused.memory().unshared, 2 * 16 * 16 * 32 * 4);  // the pool's own term
  const auto step = [](const Plan& of, const std::string& name) {
    const std::vector<StepInfo> steps = of.steps();
    return *std::find_if(steps.begin(), steps.end(), [&](const StepInfo& info) { return info.name == name; });
  };
  EXPECT_EQ(step(fused, "pool").added_terms, 1);
  EXPECT_EQ(step(fused, "stem").gradient_terms, 0);
  EXPECT_EQ(step(apart, "pool").added_terms, 0);
  EXPECT_EQ(step(apart, "stem").gradient_terms, 2);
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

TEST(Plan, RefusesALabelBeyondTheClasses) {
  const Net net = small_net();
  const auto backend = make_cpu_backend({.threads = 1});
  Parameters parameters(net, *backend, DecayScope::kWeights, false);
  Plan plan = compile(net, parameters, *backend, {.batch = 2});
  const std::vector<int32_t> last{0, 4}, beyond{4, 5};
  EXPECT_NO_THROW(plan.set_labels(last.data()));
  EXPECT_EQ(test::error_message<DataError>([&] { plan.set_labels(beyond.data()); }),
            "Image 1 of the batch has label 5, but the network has 5 classes.");
  EXPECT_EQ(plan.labels().as<int32_t>()[1], 4);  // those before stay
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
