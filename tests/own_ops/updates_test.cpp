// update, blend, sum and load_images against scalar formulas.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "own_ops/tested_backend.hpp"

namespace bn::test {
namespace {

Values draws(int64_t count, uint64_t seed, DType dtype = DType::kF32) {
  RandomStream stream(seed, hash_name("updates_test"));
  Values values(count);
  for (double& value : values) value = stream.normal();
  round_to_storage(values, dtype);
  return values;
}

GuardedTensor tensor_of(const Values& values, const Shape& shape, DType dtype = DType::kF32, int64_t gap = 0) {
  GuardedTensor tensor(tested_backend(), dtype, shape, gap);
  tensor.write(values);
  return tensor;
}

GuardedTensor vector_of(const Values& values) {
  return tensor_of(values, vector_shape(static_cast<int64_t>(values.size())));
}

// One value in the backend's memory.
template <class T>
class Stored {
 public:
  explicit Stored(const T& value) : buffer_(tested_backend().allocate(sizeof(T))) { set(value); }
  void set(const T& value) { tested_backend().upload(buffer_->data(), &value, sizeof(T)); }
  T get() const {
    T value;
    tested_backend().download(&value, buffer_->data(), sizeof(T));
    return value;
  }
  T* data() const { return static_cast<T*>(buffer_->data()); }

 private:
  std::unique_ptr<Buffer> buffer_;
};

// The same again as often as run_op() does it.
void in_every_run(int64_t elements, const std::function<void()>& test) {
  const Runs runs = runs_of(elements);
  for (int run = 0; run < runs.count; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    if (runs.before) runs.before(run);
    test();
  }
}

class Sgd : public OwnOpTest<testing::TestWithParam<MomentumKind>> {};

TEST_P(Sgd, FollowsItsFormula) {
  for (const int64_t count : {1, 19, 1000, 50'001}) {
    in_every_run(count, [&] {
      const Values w = draws(count, 1), v = draws(count, 2), g = draws(count, 3);
      const GuardedTensor value = vector_of(w), velocity = vector_of(v), gradient = vector_of(g);
      constexpr double kRate = 0.05, kMomentum = 0.9, kL2 = 0.01;
      const Stored<StepState> step({.now = {.step = 7, .learning_rate = kRate}});
      const SgdUpdate update{.value = value.tensor(),
                             .velocity = velocity.tensor(),
                             .gradient = gradient.tensor(),
                             .momentum = kMomentum,
                             .l2 = kL2,
                             .kind = GetParam(),
                             .step = step.data()};
      tested_backend().update({.updates = {&update, 1}});
      Values expected_w(count), expected_v(count);
      for (int64_t i = 0; i < count; ++i) {
        const double slope = g[i] + kL2 * w[i];
        expected_v[i] = kMomentum * v[i] - kRate * slope;
        expected_w[i] =
            w[i] + (GetParam() == MomentumKind::kClassical ? expected_v[i] : kMomentum * expected_v[i] - kRate * slope);
      }
      EXPECT_LT(difference(value.read(), expected_w).max, 2e-7);
      EXPECT_LT(difference(velocity.read(), expected_v).max, 2e-7);
      EXPECT_EQ(step.get().first_bad_step, -1);
      for (const auto* tensor : {&value, &velocity, &gradient}) tensor->expect_guards_intact("sgd");
    });
  }
}

TEST_P(Sgd, ReportsTheFirstStepWithANonFiniteValue) {
  constexpr int64_t kCount = 40'001;
  for (const int64_t place : {int64_t{0}, int64_t{20'000}, kCount - 1}) {
    for (const double bad : {std::nan(""), 1e39, -1e39}) {
      Values g = draws(kCount, 3);
      g[place] = bad;
      const GuardedTensor value = vector_of(draws(kCount, 1)), velocity = vector_of(draws(kCount, 2)),
                          gradient = vector_of(g);
      Stored<StepState> step({.now = {.step = 7, .learning_rate = 0.1F}});
      SgdUpdate update{.value = value.tensor(),
                       .velocity = velocity.tensor(),
                       .gradient = gradient.tensor(),
                       .kind = GetParam(),
                       .step = step.data()};
      tested_backend().update({.updates = {&update, 1}});
      EXPECT_EQ(step.get().first_bad_step, 7);
      StepState later = step.get();
      later.now.step = 8;
      step.set(later);
      tested_backend().update({.updates = {&update, 1}});
      EXPECT_EQ(step.get().first_bad_step, 7) << "a later step must not replace it";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Sgd, testing::Values(MomentumKind::kClassical, MomentumKind::kNesterov),
                         [](const auto& parameter) {
                           return parameter.param == MomentumKind::kClassical ? "classical" : "nesterov";
                         });

using Blend = OwnOpTest<>;
using Sum = OwnOpTest<>;
using LoadImages = OwnOpTest<>;

TEST_F(Blend, MovesTowardsTheBatch) {
  for (const int64_t count : {3, 64, 40'000}) {
    in_every_run(count, [&] {
      const Values running = draws(count, 1), batch = draws(count, 2), factor = draws(count, 3);
      const GuardedTensor batch_tensor = vector_of(batch), factor_tensor = vector_of(factor);
      Values plain(count), scaled(count);
      for (int64_t i = 0; i < count; ++i) {
        plain[i] = running[i] + 0.1 * (batch[i] - running[i]);
        scaled[i] = running[i] + 0.1 * (factor[i] * batch[i] - running[i]);
      }
      const GuardedTensor first = vector_of(running), second = vector_of(running);
      const Stored<float> weight(0.1F);
      tested_backend().blend(first.tensor(), batch_tensor.tensor(), {}, weight.data());
      tested_backend().blend(second.tensor(), batch_tensor.tensor(), factor_tensor.tensor(), weight.data());
      EXPECT_LT(difference(first.read(), plain).max, 2e-7);
      EXPECT_LT(difference(second.read(), scaled).max, 2e-7);
      first.expect_guards_intact("running");
    });
  }
}

TEST_F(Blend, CopiesWithWeightOne) {
  const Values batch = draws(37, 2);
  const GuardedTensor running = vector_of(Values(37, 1e10));
  const GuardedTensor batch_tensor = vector_of(batch);
  const Stored<float> weight(1.0F);
  tested_backend().blend(running.tensor(), batch_tensor.tensor(), {}, weight.data());
  EXPECT_EQ(running.read(), batch);
}

TEST_F(Sum, AddsStridedTensorsOfBothTypes) {
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Shape& shape : {Shape{2, 14, 14, 160}, Shape{1, 3, 2, 7}}) {
      in_every_run(shape.elements(), [&] {
        std::vector<GuardedTensor> tensors;
        std::vector<Tensor> sources;
        Values expected(shape.elements(), 0.0);
        for (int i = 0; i < 4; ++i) {
          const Values values = draws(shape.elements(), i, dtype);
          for (size_t j = 0; j < values.size(); ++j) expected[j] += values[j];
          tensors.push_back(tensor_of(values, shape, dtype, 5 * i));
          sources.push_back(tensors.back().tensor());
        }
        const GuardedTensor destination(tested_backend(), dtype, shape, 9);
        const double tolerance = dtype == DType::kF32 ? 1e-6 : 4e-3;
        tested_backend().sum(destination.tensor(), sources);
        EXPECT_LT(difference(destination.read(), expected).max, tolerance);
        destination.expect_guards_intact("destination");
        tested_backend().sum(sources[0], sources);
        EXPECT_LT(difference(tensors[0].read(), expected).max, tolerance) << "into its first term";
        tensors[0].expect_guards_intact("first term");
      });
    }
  }
}

TEST_F(Sum, RefusesTooManyTerms) {
  const GuardedTensor tensor = vector_of(Values(8, 1.0));
  EXPECT_CONTAINS(error_message<UnsupportedError>(
                      [&] { tested_backend().sum(tensor.tensor(), std::vector<Tensor>(17, tensor.tensor())); }),
                  "1 to 16 terms, not 17");
}

// Dense, and with the row stride that the backend asks for: zeros then lie between the pixels.
void expect_normalized(DType dtype, const Shape& shape, int64_t stride, const ImageNormalization& normalization) {
  std::vector<uint8_t> bytes(shape.elements());
  Values expected(shape.rows() * stride, 0.0);
  for (int64_t i = 0; i < shape.elements(); ++i) {
    const int64_t channel = i % shape.c;
    bytes[i] = static_cast<uint8_t>(i * 37 % 256);
    expected[i / shape.c * stride + channel] = (bytes[i] - normalization.mean[channel]) * normalization.scale[channel];
  }
  const GuardedTensor rows(tested_backend(), dtype, {shape.n, shape.h, shape.w, stride});
  Tensor x = rows.tensor();
  x.shape = shape;
  tested_backend().load_images(x, dense(bytes.data(), DType::kU8, shape), normalization);
  EXPECT_LT(difference(rows.read(), expected).max, dtype == DType::kF32 ? 1e-6 : 4e-3);
  rows.expect_guards_intact("x");
}

TEST_F(LoadImages, NormalisesEachChannel) {
  const ImageNormalization colour{.mean = {124.0F, 116.0F, 104.0F}, .scale = {0.017F, 0.018F, 0.0175F}};
  const ImageNormalization grey{.mean = {127.5F}, .scale = {1.0F / 127.5F}};
  for (const DType dtype : {DType::kF32, DType::kBf16}) {
    for (const Shape& shape : {Shape{2, 5, 7, 3}, Shape{4, 64, 64, 3}, Shape{60, 28, 28, 1}}) {
      in_every_run(shape.elements(), [&] {
        for (const int64_t stride : {shape.c, tested_backend().image_row_stride(shape.c, dtype)}) {
          expect_normalized(dtype, shape, stride, shape.c == 3 ? colour : grey);
        }
      });
    }
  }
}

TEST_F(LoadImages, RefusesWhatDoesNotFit) {
  std::vector<uint8_t> bytes(2 * 4 * 4 * 3);
  const Tensor images = dense(bytes.data(), DType::kU8, {2, 4, 4, 3});
  const GuardedTensor x(tested_backend(), DType::kF32, {2, 4, 4, 3});
  const GuardedTensor other(tested_backend(), DType::kF32, {2, 4, 5, 3});
  const ImageNormalization grey{.mean = {0.0F}, .scale = {1.0F}};
  const ImageNormalization colour{.mean = {0, 0, 0}, .scale = {1, 1, 1}};
  EXPECT_CONTAINS(error_message<ConfigError>([&] { tested_backend().load_images(x.tensor(), images, grey); }),
                  "3 channels, but their normalisation has 1 means");
  EXPECT_CONTAINS(error_message<ShapeError>([&] { tested_backend().load_images(other.tensor(), images, colour); }),
                  "2x4x4x3 cannot be loaded into an input of shape 2x4x5x3");
}

}  // namespace
}  // namespace bn::test
