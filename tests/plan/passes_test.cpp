// The change that each pass makes to the graph, and the memory that the lifetimes of its buffers leave.
#include <gtest/gtest.h>

#include <algorithm>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "plan/graph.hpp"
#include "plan/lifetimes.hpp"
#include "support/error_message.hpp"

namespace bn {
namespace {

using Names = std::vector<std::string>;

Names names(const Graph& graph) {
  Names found;
  for (const GraphNode& node : graph.nodes) found.push_back(node.name);
  return found;
}

const GraphNode& node_of(const Graph& graph, const std::string& name) {
  return *std::find_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const GraphNode& node) { return node.name == name; });
}

// The names of what its backward pass computes, one after the other.
Names backward_order(const Graph& graph) {
  Names order;
  for (const BackwardStep& step : schedule_backward(graph).steps) {
    order.push_back(step.sum_value >= 0 ? "sum " + graph.values[step.sum_value].name : graph.nodes[step.node].name);
  }
  return order;
}

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
  EXPECT_EQ(backward_order(graph), (Names{"loss", "linear", "bn", "conv"}));
}

TEST(EliminateConcat, StaysWhereAConvolutionWritesDirectly) {
  Graph graph = make_graph(small_net(), {.batch = 2});  // "left" is a bare convolution, "act" is read twice
  eliminate_concat(graph);
  EXPECT_EQ(graph.nodes.size(), 9U);
}

TEST(ScheduleBackward, SumsTheGradientsOfAValueReadTwice) {
  const Graph graph = make_graph(small_net(), {.batch = 2});
  EXPECT_EQ(backward_order(graph),
            (Names{"loss", "bias", "linear", "dropout", "concat", "left", "sum act", "act", "bn", "conv"}));
  const BackwardSchedule schedule = schedule_backward(graph);
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
  const std::vector<int32_t> last{-1, 4}, beyond{4, 5};
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

// --- Which 1x1 convolutions become one, and how the graph looks then.

ValueId convolution(NetBuilder& builder, const std::string& name, ValueId x, const Conv2d& spec,
                    const BatchNorm& norm = {}) {
  return builder.add(name + "/bn", norm, {builder.add(name + "/conv", spec, {x})});
}

struct ModuleOptions {
  std::vector<int64_t> channels{32, 16, 8};
  int64_t outputs = 8;  // each 3x3 convolution's
  std::vector<std::string> frozen{};
  BatchNorm last_norm{};
};

// A stem, and a module of three siblings: a goes to the concatenation, b and c into 3x3 convolutions.
Net module_net(const ModuleOptions& options = {}) {
  NetBuilder builder({1, 4, 4, 3});
  builder.freeze(options.frozen);
  const ValueId x = convolution(builder, "stem", builder.images(), {.out_channels = 16});
  const ValueId a = convolution(builder, "a", x, {.out_channels = options.channels[0]});
  ValueId b = convolution(builder, "b", x, {.out_channels = options.channels[1]});
  b = convolution(builder, "b3", b, {.out_channels = options.outputs, .kernel = 3, .pad = 1});
  ValueId c = convolution(builder, "c", x, {.out_channels = options.channels[2]}, options.last_norm);
  c = convolution(builder, "c3", c, {.out_channels = options.outputs, .kernel = 3, .pad = 1});
  const ValueId joined = builder.add("concat", Concat{}, {a, b, c});
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {joined}));
  return std::move(builder).build();
}

Graph merged_graph(const Net& net) {
  const auto backend = make_cpu_backend({.threads = 1});
  const Parameters parameters(net, *backend, DecayScope::kWeights, false);
  Graph graph = make_graph(net, {.batch = 2});
  eliminate_concat(graph);
  merge_siblings(graph, parameters);
  return graph;
}

const char* const kConv = "{a,b,c}/conv";
const char* const kNorm = "{a,b,c}/bn";

TEST(MergeSiblings, MakesOneConvolutionAndOneBatchNorm) {
  const Graph graph = merged_graph(module_net());
  EXPECT_EQ(names(graph),
            (Names{"stem/conv", "stem/bn", kConv, kNorm, "b3/conv", "b3/bn", "c3/conv", "c3/bn", "linear", "loss"}));
  const GraphNode &conv = node_of(graph, kConv), &norm = node_of(graph, kNorm);
  EXPECT_EQ(std::get<Conv2d>(conv.spec).out_channels, 32 + 16 + 8);
  EXPECT_EQ(graph.values[conv.output].shape.c, 32 + 16 + 8);
  EXPECT_EQ(conv.parameters.size(), 3U);
  EXPECT_EQ(conv.joined, 3);
  EXPECT_EQ(norm.inputs, std::vector<int>{conv.output});
  // Each sibling's channels are where its batch norm wrote them: a's in the concatenation.
  ASSERT_EQ(norm.output_parts.size(), 3U);
  EXPECT_EQ(graph.values[norm.output_parts[0]].name, "a/bn");
  EXPECT_GE(graph.values[norm.output_parts[0]].view_of, 0);
  EXPECT_EQ(node_of(graph, "b3/conv").inputs[0], norm.output_parts[1]);
  EXPECT_EQ(node_of(graph, "c3/conv").inputs[0], norm.output_parts[2]);
}

TEST(MergeSiblings, ItsBatchNormWaitsForTheGradientsOfAllParts) {
  const Graph graph = merged_graph(module_net());
  EXPECT_EQ(backward_order(graph),
            (Names{"loss", "linear", "c3/bn", "c3/conv", "b3/bn", "b3/conv", kNorm, kConv, "stem/bn", "stem/conv"}));
}

TEST(MergeSiblings, TheirParametersLieTogetherAndKeepTheirNames) {
  const Net net = module_net();
  const auto backend = make_cpu_backend({.threads = 1});
  const Parameters parameters(net, *backend, DecayScope::kWeights, false);
  const Graph graph = merged_graph(net);
  for (const char* name : {kConv, kNorm}) {
    const GraphNode& node = node_of(graph, name);
    for (size_t i = 0; i + 1 < node.parameters.size(); ++i) {
      if ((i + 1) % 3 == 0) continue;  // the next is the first of another kind
      const Tensor tensor = parameters.value(node.parameters[i]);
      EXPECT_EQ(tensor.as<char>() + tensor.bytes(), parameters.value(node.parameters[i + 1]).data) << name << i;
    }
  }
  Names found;
  for (const ParameterInfo& parameter : net.parameters()) found.push_back(parameter.name);
  EXPECT_EQ(found[3], "a/conv/w");
  EXPECT_EQ(parameters.named_tensors()[3].name, "value/a/conv/w");
  EXPECT_EQ(parameters.named_tensors()[3].tensor.shape, (Shape{32, 1, 1, 16}));
}

TEST(MergeSiblings, LeavesWhatDoesNotLieTogether) {  // 24 floats are no whole number of cache lines
  const Graph graph = merged_graph(module_net({.channels = {24, 16, 8}}));
  EXPECT_EQ(node_of(graph, "a/conv").joined, 1);
  EXPECT_EQ(node_of(graph, "{b,c}/conv").joined, 2);
}

// b3 and c3 become one batch norm, behind the second: it reads two tensors and writes two slices.
TEST(MergeSiblings, MakesOneOfTheBatchNormsOfAConcatenation) {
  const Net net = module_net({.outputs = 16});
  const Graph graph = merged_graph(net);
  EXPECT_EQ(names(graph),
            (Names{"stem/conv", "stem/bn", kConv, kNorm, "b3/conv", "c3/conv", "{b3,c3}/bn", "linear", "loss"}));
  const GraphNode& norm = node_of(graph, "{b3,c3}/bn");
  EXPECT_EQ(norm.inputs, (std::vector<int>{node_of(graph, "b3/conv").output, node_of(graph, "c3/conv").output}));
  ASSERT_EQ(norm.output_parts.size(), 2U);
  EXPECT_EQ(graph.values[norm.output_parts[0]].view_channel, 32);
  EXPECT_EQ(graph.values[norm.output_parts[1]].view_channel, 48);
  EXPECT_EQ(backward_order(graph),
            (Names{"loss", "linear", "{b3,c3}/bn", "c3/conv", "b3/conv", kNorm, kConv, "stem/bn", "stem/conv"}));
}

TEST(MergeSiblings, LeavesAnotherBatchNormAlone) {
  const Graph graph = merged_graph(module_net({.last_norm = {.eps = 0.1F}}));
  EXPECT_EQ(node_of(graph, "{a,b}/bn").joined, 2);
  EXPECT_EQ(node_of(graph, "c/conv").joined, 1);
}

TEST(MergeSiblings, LeavesTheImagesOfAConcatenation) {
  NetBuilder builder({1, 4, 4, 3});
  const ValueId a = convolution(builder, "a", builder.images(), {.out_channels = 16});
  const ValueId joined = builder.add("concat", Concat{}, {builder.images(), a});
  builder.loss("loss", builder.add("linear", Linear{.out_features = 5}, {joined}));
  EXPECT_EQ(names(merged_graph(std::move(builder).build())), (Names{"a/conv", "a/bn", "concat", "linear", "loss"}));
}

TEST(MergeSiblings, LeavesFrozenOnesAlone) {
  const Graph graph = merged_graph(module_net({.frozen = {"b"}}));
  EXPECT_EQ(node_of(graph, "b/conv").joined, 1);
  EXPECT_EQ(node_of(graph, "{a,c}/conv").joined, 2);
}

// --- Where buffers lie in memory.

TEST(AssignOffsets, SharesMemoryBetweenLifetimesThatDoNotMeet) {
  std::vector<Lifetime> buffers{{.bytes = 128, .first = 0, .last = 1}, {.bytes = 128, .first = 2, .last = 3}};
  EXPECT_EQ(assign_offsets(buffers), 128);
  EXPECT_EQ(buffers[0].offset, buffers[1].offset);
}

TEST(AssignOffsets, LastUseAndFirstUseAtTheSameTimeOverlap) {
  std::vector<Lifetime> buffers{{.bytes = 64, .first = 0, .last = 1}, {.bytes = 64, .first = 1, .last = 2}};
  EXPECT_EQ(assign_offsets(buffers), 128);
}

TEST(AssignOffsets, NeverOverlapsAndStaysNearThePeak) {
  RandomStream random(1, 1);
  for (int trial = 0; trial < 50; ++trial) {
    std::vector<Lifetime> buffers(60);
    for (Lifetime& buffer : buffers) {
      buffer.bytes = 1 + random.uniform_index(5000);
      buffer.first = static_cast<int>(random.uniform_index(100));
      buffer.last = buffer.first + static_cast<int>(random.uniform_index(20));
    }
    const int64_t arena = assign_offsets(buffers);
    int64_t peak = 0;
    for (int time = 0; time < 120; ++time) {
      int64_t live = 0;
      for (const Lifetime& a : buffers) live += a.first <= time && time <= a.last ? a.bytes : 0;
      peak = std::max(peak, live);
    }
    EXPECT_LE(arena, 1.5 * static_cast<double>(peak));
    for (size_t i = 0; i < buffers.size(); ++i) {
      EXPECT_EQ(buffers[i].offset % 64, 0);
      EXPECT_LE(buffers[i].offset + buffers[i].bytes, arena);
      for (size_t j = 0; j < i; ++j) {
        const bool same_time = buffers[i].first <= buffers[j].last && buffers[j].first <= buffers[i].last;
        const bool same_place = buffers[i].offset < buffers[j].offset + buffers[j].bytes &&
                                buffers[j].offset < buffers[i].offset + buffers[i].bytes;
        EXPECT_FALSE(same_time && same_place);
      }
    }
  }
}

}  // namespace
}  // namespace bn
