#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <set>

#include "bn/sampler.hpp"
#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

DataOptions small_set(int64_t size = 32) {
  return {.shapes = {.image_size = size, .train_images = 100, .validation_images = 50, .seed = 5}};
}

TEST(Shapes, HasTenBalancedClasses) {
  const auto set = open_dataset(small_set(), Split::kTrain);
  EXPECT_EQ(set->size(), 100);
  EXPECT_EQ(open_dataset(small_set(), Split::kValidation)->size(), 50);
  EXPECT_EQ(set->class_names().size(), 10U);
  EXPECT_TRUE(std::is_sorted(set->class_names().begin(), set->class_names().end()));
  std::vector<int64_t> count(10);
  for (int64_t i = 0; i < 100; ++i) ++count[static_cast<size_t>(set->label(i))];
  EXPECT_EQ(count, std::vector<int64_t>(10, 10));
  EXPECT_EQ(set->name(3), "shapes/train/3");
}

TEST(Shapes, PixelsAreAFunctionOfSeedSplitAndIndex) {
  const auto set = open_dataset(small_set(), Split::kTrain), again = open_dataset(small_set(), Split::kTrain);
  const auto validation = open_dataset(small_set(), Split::kValidation);
  auto reseeded_options = small_set();
  reseeded_options.shapes.seed = 6;
  const auto reseeded = open_dataset(reseeded_options, Split::kTrain);
  std::set<std::string> different;
  for (int64_t i = 0; i < 50; ++i) {
    EXPECT_EQ(sample_bytes(*set, i), sample_bytes(*again, i));
    for (const auto* other : {&set, &validation, &reseeded}) {
      const Bytes pixels = sample_bytes(**other, i);
      different.emplace(pixels.begin(), pixels.end());
    }
  }
  EXPECT_EQ(different.size(), 150U);
}

TEST(Shapes, DrawsOtherSizes) {
  const auto set = open_dataset(small_set(64), Split::kTrain);
  Bytes storage;
  const auto sample = set->read(0, storage);
  EXPECT_EQ(sample.raw_height, 64);
  EXPECT_EQ(sample.raw_width, 64);
  EXPECT_EQ(sample.raw_channels, 3);
  EXPECT_EQ(sample.bytes, 64 * 64 * 3);
}

TEST(Shapes, RefusesWhatMakesNoSense) {
  const auto message = [](const DataOptions& options) {
    return error_message<ConfigError>([&] { open_dataset(options, Split::kTrain); });
  };
  EXPECT_EQ(message({.shapes = {.image_size = 8}}), "generated shapes are 16 to 512 pixels wide, not 8");
  EXPECT_EQ(message({.shapes = {.train_images = 9}}),
            "a generated train set of 9 images leaves some of its 10 classes empty");
  EXPECT_EQ(message({.classes = "x.txt"}), "generated shapes have their own classes: remove the classes file");
  EXPECT_EQ(message({.classes_limit = 11}), "classes_limit is 11, but there are 10 shapes");
}

TEST(Shapes, ClassesLimitKeepsTheFirstShapes) {
  auto options = small_set();
  options.classes_limit = 3;
  const auto set = open_dataset(options, Split::kTrain);
  EXPECT_EQ(set->class_names(), (std::vector<std::string>{"arrow", "crescent", "cross"}));
  for (int64_t i = 0; i < set->size(); ++i) EXPECT_LT(set->label(i), 3);
}

// Softmax regression on pixels in [-1, 1], by gradient descent on single examples.
class LinearClassifier {
 public:
  explicit LinearClassifier(int64_t inputs) : inputs_(inputs), weights_(static_cast<size_t>(kClasses * inputs)) {}

  std::array<float, 10> scores(const std::vector<float>& x) const {
    std::array<float, 10> result{};
    for (int64_t k = 0; k < kClasses; ++k) {
      const float* w = weights_.data() + k * inputs_;
      std::array<float, 8> sum{};
      for (int64_t i = 0; i < inputs_; i += 8) {
        for (int64_t j = 0; j < 8; ++j) sum[static_cast<size_t>(j)] += w[i + j] * x[static_cast<size_t>(i + j)];
      }
      result[static_cast<size_t>(k)] = std::accumulate(sum.begin(), sum.end(), 0.0F);
    }
    return result;
  }

  void learn(const std::vector<float>& x, int32_t label, float rate) {
    auto p = scores(x);
    const float largest = *std::max_element(p.begin(), p.end());
    float total = 0;
    for (float& value : p) total += value = std::exp(value - largest);
    for (int64_t k = 0; k < kClasses; ++k) {
      const float step = rate * (p[static_cast<size_t>(k)] / total - (k == label ? 1.0F : 0.0F));
      float* w = weights_.data() + k * inputs_;
      for (int64_t i = 0; i < inputs_; ++i) w[i] -= step * x[static_cast<size_t>(i)];
    }
  }

 private:
  static constexpr int64_t kClasses = 10;
  int64_t inputs_;
  std::vector<float> weights_;  // [classes, inputs]
};

TEST(Shapes, ALinearModelFindsLittleInThePixels) {
  constexpr int64_t kValidation = 2000, kEpochs = 4;
  // Under a sanitizer it gets a tenth of the images, too few to learn anything.
  const bool reduced = std::getenv("BN_TEST_REDUCED") != nullptr;
  const int64_t train_images = reduced ? 500 : 5000;
  const DataOptions options{.shapes = {.train_images = train_images, .validation_images = kValidation}};
  const auto train = open_dataset(options, Split::kTrain), validation = open_dataset(options, Split::kValidation);
  std::vector<float> x(32 * 32 * 3);
  const auto load = [&](const Dataset& set, int64_t index) {
    Bytes storage;
    const auto sample = set.read(index, storage);
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(sample.data[i]) / 127.5F - 1;
  };
  LinearClassifier classifier(static_cast<int64_t>(x.size()));
  Sampler order({train_images}, Shuffle::kFull, 1);
  for (int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    for (int64_t i = 0; i < train_images; ++i) {
      const int64_t index = order.index(epoch, i);
      load(*train, index);
      classifier.learn(x, train->label(index), 2e-4F);
    }
  }
  int64_t right = 0;
  for (int64_t i = 0; i < kValidation; ++i) {
    load(*validation, i);
    const auto scores = classifier.scores(x);
    right += std::max_element(scores.begin(), scores.end()) - scores.begin() == validation->label(i) ? 1 : 0;
  }
  const double accuracy = static_cast<double>(right) / kValidation;
  std::printf("linear model on shapes: %.1f %%\n", 100 * accuracy);
  EXPECT_LT(accuracy, 0.40);
  if (!reduced) {
    EXPECT_GT(accuracy, 0.11);  // chance is 0.10
  }
}

}  // namespace
}  // namespace bn
