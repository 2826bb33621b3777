// Which 1x1 convolutions become one, and how the graph looks then.
#include <gtest/gtest.h>

#include "bn/cpu_backend.hpp"
#include "plan/graph.hpp"
#include "plan/graphs.hpp"

namespace bn {
namespace {

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

const char* const kConv = "a/conv + b/conv + c/conv";
const char* const kNorm = "a/bn + b/bn + c/bn";

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
  Names order;
  for (const BackwardStep& step : schedule_backward(graph).steps) order.push_back(graph.nodes[step.node].name);
  EXPECT_EQ(order,
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
  EXPECT_EQ(node_of(graph, "b/conv + c/conv").joined, 2);
}

// b3 and c3 become one batch norm, behind the second: it reads two tensors and writes two slices.
TEST(MergeSiblings, MakesOneOfTheBatchNormsOfAConcatenation) {
  const Net net = module_net({.outputs = 16});
  const Graph graph = merged_graph(net);
  EXPECT_EQ(names(graph),
            (Names{"stem/conv", "stem/bn", kConv, kNorm, "b3/conv", "c3/conv", "b3/bn + c3/bn", "linear", "loss"}));
  const GraphNode& norm = node_of(graph, "b3/bn + c3/bn");
  EXPECT_EQ(norm.inputs, (std::vector<int>{node_of(graph, "b3/conv").output, node_of(graph, "c3/conv").output}));
  ASSERT_EQ(norm.output_parts.size(), 2U);
  EXPECT_EQ(graph.values[norm.output_parts[0]].view_channel, 32);
  EXPECT_EQ(graph.values[norm.output_parts[1]].view_channel, 48);
  Names order;
  for (const BackwardStep& step : schedule_backward(graph).steps) order.push_back(graph.nodes[step.node].name);
  EXPECT_EQ(order,
            (Names{"loss", "linear", "b3/bn + c3/bn", "c3/conv", "b3/conv", kNorm, kConv, "stem/bn", "stem/conv"}));
}

TEST(MergeSiblings, LeavesAnotherBatchNormAlone) {
  const Graph graph = merged_graph(module_net({.last_norm = {.eps = 0.1F}}));
  EXPECT_EQ(node_of(graph, "a/bn + b/bn").joined, 2);
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
  EXPECT_EQ(node_of(graph, "a/conv + c/conv").joined, 2);
}

}  // namespace
}  // namespace bn
