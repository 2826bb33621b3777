// Networks of one pixel and three classes, whose probabilities can be written down.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "bn/cpu_backend.hpp"
#include "bn/evaluate.hpp"
#include "evaluate/small_set.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

using Classes = std::array<double, 3>;

constexpr float kMean = 100, kScale = 0.02F;

// logit j = (pixel - mean) * scale * weight j + bias j
class OnePixelNetwork {
 public:
  OnePixelNetwork(Backend& backend, int64_t batch, const std::vector<float>& weights, const std::vector<float>& biases,
                  float mean = kMean)
      : weights_(weights), biases_(biases), net_(build(weights)), mean_(mean) {
    parameters_ = std::make_unique<Parameters>(net_, backend, DecayScope::kWeights, false);
    for (size_t i = 0; i < net_.parameters().size(); ++i) {
      const Tensor value = parameters_->value(static_cast<int>(i));
      const bool is_weight = net_.parameters()[i].name.starts_with("linear");
      backend.upload(value.data, (is_weight ? weights : biases).data(), value.bytes());
    }
    plan_ = compile(net_, *parameters_, backend, {.batch = batch, .purpose = Purpose::kEvaluate});
  }

  OnePixelNetwork(const OnePixelNetwork&) = delete;  // its parameters point into it
  OnePixelNetwork& operator=(const OnePixelNetwork&) = delete;

  EnsembleMember member() { return {.plan = &*plan_, .normalization = {.mean = {mean_}, .scale = {kScale}}}; }
  Plan& plan() { return *plan_; }

  Classes probabilities(double pixel) const {
    Classes values{};
    double sum = 0;
    for (size_t j = 0; j < 3; ++j) sum += values[j] = std::exp((pixel - mean_) * kScale * weights_[j] + biases_[j]);
    for (double& value : values) value /= sum;
    return values;
  }

 private:
  static Net build(const std::vector<float>& weights) {
    NetBuilder builder({1, 1, 1, 1});
    const auto classes = static_cast<int64_t>(weights.size());
    const ValueId x = builder.add("linear", Linear{.out_features = classes}, {builder.images()});
    builder.loss("loss", builder.add("bias", BiasActivation{}, {x}));
    return std::move(builder).build();
  }

  std::vector<float> weights_, biases_;
  Net net_;
  float mean_;
  std::unique_ptr<Parameters> parameters_;
  std::optional<Plan> plan_;
};

Classes mean_of(const std::vector<Classes>& all) {
  Classes mean{};
  for (const Classes& one : all) {
    for (size_t j = 0; j < 3; ++j) mean[j] += one[j] / static_cast<double>(all.size());
  }
  return mean;
}

int64_t rank_of(const Classes& probabilities, size_t label) {
  return std::ranges::count_if(probabilities, [&](double p) { return p > probabilities[label]; });
}

class Ensemble : public testing::Test {
 protected:
  Ensemble() {
    data_.image_size = 1;
    data_.image_channels = 1;
    data_.resize_shorter = 2;
    data_.workers = 0;
    data_.on_corrupt = OnCorrupt::kSkip;
    data_.mean = {kMean / 255};
    data_.std = {1 / (255 * static_cast<double>(kScale))};
  }

  OnePixelNetwork rising(int64_t batch) const { return {*backend_, batch, {1, -1, 0.5F}, {0, 0.3F, 0.2F}}; }
  OnePixelNetwork falling(int64_t batch) const { return {*backend_, batch, {-2, 0.4F, 1}, {0.1F, 0, -0.7F}, 60}; }

  EvaluationResult score(const std::vector<EnsembleMember>& members, const Dataset& images, CropSet crops) {
    predictions_.clear();
    return evaluate_ensemble(members, *backend_, images, data_, crops,
                             [&](const Prediction& prediction) { predictions_.push_back(prediction); });
  }

  // `expected` holds, for each image, the probabilities that the scores must come from.
  void expect_scores_of(const std::vector<Classes>& expected, const EvaluationResult& result) const {
    ASSERT_EQ(predictions_.size(), expected.size());
    double loss = 0, right = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      const size_t label = i % 3;
      const Prediction& prediction = predictions_[i];
      EXPECT_EQ(prediction.image, static_cast<int64_t>(i));
      EXPECT_EQ(prediction.label, static_cast<int32_t>(label));
      EXPECT_EQ(prediction.rank, rank_of(expected[i], label)) << i;
      EXPECT_NEAR(prediction.label_probability, expected[i][label], 1e-6) << i;
      ASSERT_EQ(prediction.classes.size(), 3U);
      for (size_t j = 0; j < 3; ++j) {
        const auto named = static_cast<size_t>(prediction.classes[j]);
        EXPECT_EQ(rank_of(expected[i], named), static_cast<int64_t>(j)) << i;
        EXPECT_NEAR(prediction.probabilities[j], expected[i][named], 1e-6) << i;
      }
      loss -= std::log(expected[i][label]);
      right += rank_of(expected[i], label) == 0 ? 1 : 0;
    }
    const auto images = static_cast<double>(expected.size());
    EXPECT_EQ(result.images, static_cast<int64_t>(expected.size()));
    EXPECT_NEAR(result.loss, loss / images, 1e-6);
    EXPECT_DOUBLE_EQ(result.top1, right / images);
    EXPECT_DOUBLE_EQ(result.top5, 1);
  }

  const std::unique_ptr<Backend> backend_ = make_cpu_backend({.threads = 1});
  DataOptions data_;
  std::vector<Prediction> predictions_;
};

// Paper: sec. 4.2.3.
TEST_F(Ensemble, IsTheMeanOfItsMembersProbabilities) {
  const SmallSet images(1, {{0}, {50}, {90}, {130}, {255}});
  OnePixelNetwork a = rising(2), b = falling(2);  // the last batch is padded
  const EvaluationResult result = score({a.member(), b.member()}, images, CropSet::kSingle);
  std::vector<Classes> expected;
  for (const double pixel : {0.0, 50.0, 90.0, 130.0, 255.0}) {
    expected.push_back(mean_of({a.probabilities(pixel), b.probabilities(pixel)}));
  }
  expect_scores_of(expected, result);
  ASSERT_EQ(result.classes.size(), 3U);
  EXPECT_EQ(result.classes[0].images, 2);
  EXPECT_EQ(result.classes[2].images, 1);
}

// For an image of 2 x 2 pixels the ten crops of one pixel are the corners, and the first again as the centre, each
// twice.
TEST_F(Ensemble, IsTheMeanOverMembersAndCropsAlike) {
  const std::vector<std::vector<uint8_t>> pixels{{0, 40, 120, 250}, {90, 180, 20, 60}, {255, 255, 10, 10}};
  const SmallSet images(2, pixels);
  OnePixelNetwork a = rising(20), b = falling(20);
  const EvaluationResult result = score({a.member(), b.member()}, images, CropSet::kTen);
  std::vector<Classes> expected;
  for (const std::vector<uint8_t>& image : pixels) {
    std::vector<Classes> all;
    for (const uint8_t pixel : {image[0], image[1], image[2], image[3], image[0]}) {
      all.push_back(a.probabilities(pixel));
      all.push_back(b.probabilities(pixel));
    }
    expected.push_back(mean_of(all));
  }
  expect_scores_of(expected, result);
}

TEST_F(Ensemble, OfOneNetworkIsThatNetwork) {
  const SmallSet images(1, {{0}, {50}, {90}, {130}, {255}});
  OnePixelNetwork a = rising(2);
  const EvaluationResult result = score({a.member()}, images, CropSet::kSingle);
  std::vector<Classes> expected;
  for (const double pixel : {0.0, 50.0, 90.0, 130.0, 255.0}) expected.push_back(a.probabilities(pixel));
  expect_scores_of(expected, result);
  const EvaluationResult alone = evaluate(a.plan(), *backend_, images, data_);
  EXPECT_EQ(alone.images, 5);
  EXPECT_EQ(alone.top1, result.top1);
  EXPECT_NEAR(alone.loss, result.loss, 1e-7);
}

// A label that is the likeliest by a logit, but not by a probability that underflows to nothing.
TEST_F(Ensemble, OfOneNetworkIsRankedByItsLogits) {
  const SmallSet images(1, {{100}, {100}});
  OnePixelNetwork network(*backend_, 2, {0, 0, 0}, {-2000, -1000, 0});
  score({network.member()}, images, CropSet::kSingle);
  EXPECT_EQ(predictions_[0].rank, 2);
  EXPECT_EQ(predictions_[1].rank, 1);
  EXPECT_EQ(predictions_[1].classes, (std::vector<int32_t>{2, 1, 0}));
  EXPECT_EQ(predictions_[1].label_probability, 0);
}

// A network that has diverged has no accuracy, alone or among others.
TEST_F(Ensemble, RefusesOutputsThatAreNotFinite) {
  const SmallSet images(1, {{0}, {50}, {90}});
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const float bad : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    OnePixelNetwork broken(*backend_, 2, {1, 1, 1}, {0, bad, 0}), sound = rising(2);
    const std::string message =
        "image 0: the network's outputs are not finite, so it has no accuracy; use a checkpoint of before it diverged";
    EXPECT_EQ(error_message<DivergedError>([&] { evaluate(broken.plan(), *backend_, images, data_); }), message);
    EXPECT_EQ(error_message<DivergedError>([&] { score({broken.member()}, images, CropSet::kSingle); }), message);
    EXPECT_EQ(error_message<DivergedError>([&] {
                score({broken.member(), sound.member()}, images, CropSet::kSingle);
              }),
              message);
  }
}

TEST_F(Ensemble, HasAFiniteLossWhereAProbabilityIsTooSmallForANumber) {
  const SmallSet images(1, {{100}});
  OnePixelNetwork a(*backend_, 2, {0, 0, 0}, {-2000, -1000, 0}), b(*backend_, 2, {0, 0, 0}, {-2000, -1000, 0});
  const EvaluationResult result = score({a.member(), b.member()}, images, CropSet::kSingle);
  EXPECT_NEAR(result.loss, 744.44, 0.01);  // -log(the smallest double)
}

TEST_F(Ensemble, TellsHowFarItIsAndStopsWhenAsked) {
  const SmallSet images(1, {{0}, {50}, {90}, {130}, {255}});
  OnePixelNetwork a = rising(2);
  std::vector<int64_t> told;
  EvaluationWatch watch{.progress = [&](int64_t done, int64_t all) {
    told.push_back(done);
    EXPECT_EQ(all, 5);
  }};
  EXPECT_EQ(evaluate(a.plan(), *backend_, images, data_, watch).images, 5);
  EXPECT_EQ(told, (std::vector<int64_t>{0, 2, 4}));
  watch.stop = [&] { return told.size() == 3 + 2; };
  EXPECT_EQ(error_message<InterruptedError>([&] { evaluate(a.plan(), *backend_, images, data_, watch); }),
            "interrupted after 2 of 5 images");
}

TEST_F(Ensemble, SkipsAnImageWithAllItsCrops) {
  SmallSet images(2, {{0, 40, 120, 250}, {90, 180, 20, 60}, {255, 255, 10, 10}, {1, 2, 3, 4}});
  images.on_read = [](int64_t index) {
    if (index == 1) throw DataError("damaged");
  };
  for (const CropSet crops : {CropSet::kSingle, CropSet::kTen}) {
    OnePixelNetwork a = rising(20);
    const EvaluationResult result = score({a.member()}, images, crops);
    EXPECT_EQ(result.images, 3);
    EXPECT_EQ(result.skipped, 1);
    EXPECT_EQ(result.skipped_names, std::vector<std::string>{"image 1"});
    ASSERT_EQ(predictions_.size(), 3U);
    EXPECT_EQ(predictions_[1].image, 2);
    EXPECT_EQ(result.classes[1].images, 0);
  }
}

// The first read fails, so the first crop alone is missing.
TEST_F(Ensemble, RefusesAnImageOfWhichOnlySomeCropsWereRead) {
  SmallSet images(2, {{0, 40, 120, 250}, {90, 180, 20, 60}});
  int reads = 0;
  images.on_read = [&](int64_t index) {
    if (index == 1 && ++reads == 1) throw DataError("damaged for now");
  };
  OnePixelNetwork a = rising(20);
  EXPECT_EQ(error_message<DataError>([&] { score({a.member()}, images, CropSet::kTen); }),
            "image 1: 1 of its 10 crops could not be read");
}

TEST_F(Ensemble, RefusesASetOfWhichItDidNotSeeAll) {
  SmallSet images(1, {{0}, {50}, {90}});
  images.on_read = [&](int64_t index) {
    images.late_images = 2;
    if (index == 1) throw DataError("damaged");
  };
  const std::string message = "2 images were scored and 1 skipped, but the set holds 5";
  OnePixelNetwork a = rising(3), b = falling(3);
  EXPECT_EQ(error_message<DataError>([&] { score({a.member(), b.member()}, images, CropSet::kSingle); }), message);
  images.late_images = 0;
  EXPECT_EQ(error_message<DataError>([&] { evaluate(a.plan(), *backend_, images, data_); }), message);
}

TEST_F(Ensemble, RefusesMoreClassesThanTheNetworkHas) {
  SmallSet images(1, {{0}, {50}, {90}});
  images.names = {"a", "b", "c", "d"};
  const std::string message = "the data have 4 classes, the network only 3";
  OnePixelNetwork a = rising(3);
  EXPECT_EQ(error_message<DataError>([&] { score({a.member()}, images, CropSet::kSingle); }), message);
  EXPECT_EQ(error_message<DataError>([&] { evaluate(a.plan(), *backend_, images, data_); }), message);
}

TEST_F(Ensemble, RefusesNetworksOfOtherClassesAndBatchesThatCutAnImage) {
  const SmallSet images(2, {{0, 40, 120, 250}});
  OnePixelNetwork a = rising(15), two(*backend_, 15, {1, 2}, {0, 0});
  EXPECT_EQ(error_message<ConfigError>([&] {
              score({a.member(), two.member()}, images, CropSet::kSingle);
            }),
            "an ensemble needs networks of the same classes, but one has 3, another 2");
  EXPECT_EQ(error_message<ConfigError>([&] { score({a.member()}, images, CropSet::kTen); }),
            "a batch of 15 cannot hold all 10 crops of each image");
}

}  // namespace
}  // namespace bn::test
