// The values that a network computes inside, for one image of a batch.
#include "bn/activations.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/models.hpp"
#include "support/error_message.hpp"
#include "support/small_inception.hpp"
#include "support/uniform.hpp"

namespace bn::test {
namespace {

ModelOptions small_options() {
  ModelOptions options{.table = small_inception(16), .classes = 5};
  options.dropout = 0.3;
  return options;
}

// A folded plan over random images, whose forward has run.
class Evaluated {
 public:
  explicit Evaluated(const std::vector<std::string>& kept, DType type = DType::kF32)
      : backend_(make_cpu_backend({.threads = 1})),
        net_(build_network(small_options())),
        parameters_(net_, *backend_, DecayScope::kWeights, false) {
    parameters_.initialize(3, {});
    plan_ = std::make_unique<Plan>(
        compile(net_, parameters_, *backend_,
                {.batch = kBatch, .purpose = Purpose::kEvaluateFolded, .activations = type, .keep = kept}));
    std::vector<uint8_t> pixels(static_cast<size_t>(kBatch * 16 * 16 * 3));
    for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * i % 251 + i % 5);
    const Tensor images = dense(pixels.data(), DType::kU8, {kBatch, 16, 16, 3});
    backend_->load_images(plan_->images(), images, {.mean = {120, 120, 120}, .scale = {0.02F, 0.02F, 0.02F}});
    plan_->pack();
    plan_->forward();
  }

  ImageOutput output(const std::string& op, int64_t place) const {
    return output_of_image(*plan_, *backend_, op, place);
  }
  const Net& net() const { return net_; }
  const Parameters& parameters() const { return parameters_; }

  static constexpr int64_t kBatch = 3;

 private:
  std::unique_ptr<Backend> backend_;
  Net net_;
  Parameters parameters_;
  std::unique_ptr<Plan> plan_;
};

// The class's score is the mean of its map, plus its bias, which is 0 in a network that was not trained.
TEST(ClassActivation, TheMeanOfAMapIsTheScoreOfTheClass) {
  const Evaluated network({"inception_2a/concat", "logits/bias"});
  ClassActivation activation(network.net());
  EXPECT_EQ(activation.features(), "inception_2a/concat");
  activation.read_weights(network.parameters(), WeightsCopy::kCurrent);
  for (int64_t place = 0; place < Evaluated::kBatch; ++place) {
    const ImageOutput features = network.output(activation.features(), place);
    const ImageOutput logits = network.output("logits/bias", place);
    for (int32_t c = 0; c < 5; ++c) {
      const ImageOutput map = activation.map(features, c);
      EXPECT_EQ(map.height * map.width, 64);
      EXPECT_NEAR(mean_over_positions(map).at(0), logits.values.at(static_cast<size_t>(c)), 1e-5F);
      EXPECT_NE(map.values.front(), map.values.back());
    }
  }
  EXPECT_NE(network.output("logits/bias", 0).values, network.output("logits/bias", 1).values);
}

TEST(ClassActivation, NeedsAnAveragedMapAndOneLinearLayer) {
  const char* expected =
      "this network has no class activation map: that needs an average pool over the whole feature map and one linear "
      "layer after it";
  const Net mlp = build_network({.table = MlpTable{.hidden = {4}}, .classes = 3});
  EXPECT_EQ(error_message<ConfigError>([&] { ClassActivation activation(mlp); }), expected);
  ModelOptions options = small_options();
  auto& table = std::get<InceptionTable>(options.table);
  table.rows.back().patch = 4;
  table.rows.back().stride = 4;
  const Net parts = build_network(options);
  EXPECT_EQ(error_message<ConfigError>([&] { ClassActivation activation(parts); }), expected);
}

TEST(OutputOfImage, APoolIsTheMeanOverItsInputsPositions) {
  for (const DType type : {DType::kF32, DType::kBf16}) {
    std::unique_ptr<Evaluated> network;
    try {
      network = std::make_unique<Evaluated>(std::vector<std::string>{"inception_2a/concat", "pool3"}, type);
    } catch (const UnsupportedError&) {
      continue;  // a CPU without bf16
    }
    for (int64_t place = 0; place < Evaluated::kBatch; ++place) {
      const std::vector<float> means = mean_over_positions(network->output("inception_2a/concat", place));
      const ImageOutput pooled = network->output("pool3", place);
      ASSERT_EQ(pooled.values.size(), means.size());
      for (size_t i = 0; i < means.size(); ++i) {
        const float tolerance = type == DType::kF32 ? 1e-5F : 8e-3F * std::max(1.0F, std::abs(means[i]));
        EXPECT_NEAR(pooled.values[i], means[i], tolerance);
      }
    }
  }
}

TEST(OutputOpOfRow, IsTheLastOpOfTheRow) {
  const Net net = build_network(small_options());
  EXPECT_EQ(output_op_of_row(net, "inception_2a"), "inception_2a/concat");
  EXPECT_EQ(output_op_of_row(net, "conv1"), "conv1/act");
  EXPECT_EQ(output_op_of_row(net, "pool3"), "pool3");
  EXPECT_EQ(output_op_of_row(net, "inception_2a/3x3/act"), "inception_2a/3x3/act");
  EXPECT_EQ(error_message<ConfigError>([&] { output_op_of_row(net, "inception_2b"); }),
            "the network has no row 'inception_2b'; its rows are conv1, inception_2a, pool3, dropout, logits; did you "
            "mean inception_2a?");
}

}  // namespace
}  // namespace bn::test
