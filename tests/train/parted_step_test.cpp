#include "train/parted_step.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "bn/cpu_backend.hpp"
#include "bn/error.hpp"
#include "bn/models.hpp"
#include "bn/trainer.hpp"
#include "support/allocation_count.hpp"

namespace bn {
namespace {

// The first of two processes; the other one is silent.
class FirstOfTwo final : public Group {
 public:
  explicit FirstOfTwo(bool serves_any_thread = true) : serves_any_thread_(serves_any_thread) {}
  const Place& place() const override { return place_; }
  bool serves_any_thread() const override { return serves_any_thread_; }
  void sum(std::span<float>) override {}
  void gather(std::span<const double>, std::span<double>) override {}
  std::vector<std::string> gather(const std::string& mine) override { return {mine, mine}; }
  void broadcast(std::span<std::byte>) override {}
  void wait_at_most(std::chrono::seconds) override {}
  void watch(const std::function<void()>&) override {}
  void abort(ExitCode exit_code) override { std::exit(static_cast<int>(exit_code)); }

 private:
  bool serves_any_thread_;
  Place place_{.rank = 0, .world = 2, .host = "host0"};
};

// Writes down what it is asked for.
class RecordedExchange final : public Exchange {
 public:
  struct Call {
    const float* values;
    int64_t count;
  };

  void sum(std::span<const Tensor> slabs, StepState*) override {
    for (const Tensor& slab : slabs) summed.push_back(call_of(slab));
  }
  bool overlaps() const override { return true; }
  void begin(const Tensor& values) override { begun.push_back(call_of(values)); }
  void finish() override { ++finished; }
  std::unique_ptr<PartExchange> parts(int64_t) override { return nullptr; }

  void clear() {
    begun.clear();
    summed.clear();
    finished = 0;
  }

  std::vector<Call> begun{}, summed{};
  int finished = 0;

 private:
  static Call call_of(const Tensor& values) { return {values.as<float>(), values.shape.elements()}; }
};

bool operator==(const RecordedExchange::Call& a, const RecordedExchange::Call& b) {
  return a.values == b.values && a.count == b.count;
}

// Four parts of six images, which this process computes alone, or two of which.
class StepOfParts : public testing::Test {
 protected:
  StepOfParts() {
    parameters_.initialize(1, config_.train.init);
    plan_.pack();
  }

  PartedStep step_of(Group& group, Exchange* exchange, bool overlap = true) {
    return {plan_, parameters_, *backend_, group, exchange, config_.train, overlap};
  }

  PartedStep::Signals run(
      PartedStep& step, uint64_t number, const std::function<void()>& before_load = {},
      const std::function<void(int64_t)>& computed = [](int64_t) {}) {
    const std::function<void(int64_t)> load = [&](int64_t) {
      if (before_load) before_load();
      backend_->load_images(plan_.images(), images_, normalization_);
      plan_.set_labels(labels_.data());
    };
    const StepScalars scalars{.step = number, .learning_rate = 0.1F, .statistics_weight = 0.1F, .average_weight = 0.1F};
    return step.run(scalars, false, load, computed);
  }

  const Config config_ = parse_config(R"(
model:
  network: {kind: mlp, image_size: 16, image_channels: 1, hidden: [40, 40]}
  classes: 10
  normalization: batch
  dropout: 0.25
data: {kind: shapes, image_size: 16, image_channels: 1, resize_shorter: 0, mean: [0.5], std: [0.25]}
train: {batch: 6, parts: 4, steps: 1, average: polyak, learning_rate: {initial: 0.1}}
)",
                                      "experiment.yaml");
  const std::unique_ptr<Backend> backend_ = make_cpu_backend({.threads = 1});
  const Net net_ = build_network(config_.model);
  Parameters parameters_{net_, *backend_, config_.train.l2_scope, true};
  Plan plan_ = compile(net_, parameters_, *backend_, {.batch = 6, .purpose = Purpose::kTrain, .parts = 4});
  std::vector<uint8_t> pixels_ = std::vector<uint8_t>(6 * 16 * 16, 7);
  const Tensor images_ = dense(pixels_.data(), DType::kU8, plan_.images().shape);
  const std::vector<int32_t> labels_{0, 1, 2, 3, 4, 5};
  const ImageNormalization normalization_{.mean = {127}, .scale = {0.02F}};
};

TEST_F(StepOfParts, AllocatesNothingOnceItHasRun) {
  const std::unique_ptr<Group> group = alone();
  PartedStep step = step_of(*group, nullptr);
  run(step, 0);
  run(step, 1);
  const test::AllocationCount count;
  run(step, 2);
  EXPECT_EQ(count.own(), 0);
}

// The first step shows in which order gradients are complete; from the second on they are given away in that order.
TEST_F(StepOfParts, GivesGradientsAwayWhileItComputes) {
  FirstOfTwo group;
  RecordedExchange exchange;
  PartedStep step = step_of(group, &exchange);
  run(step, 0);
  const Tensor slab = parameters_.gradient_slab();
  EXPECT_TRUE(exchange.begun.empty());
  ASSERT_EQ(exchange.summed.size(), 2U);
  EXPECT_EQ(exchange.summed[0].count, slab.shape.c);

  exchange.clear();
  size_t begun_before_the_end = 0;
  run(step, 1, {}, [&](int64_t part) {
    EXPECT_EQ(exchange.begun.empty(), part == 0) << "only the last part's gradients are sums";
    begun_before_the_end = exchange.begun.size();
  });
  EXPECT_GE(exchange.begun.size(), 10U);
  EXPECT_EQ(begun_before_the_end, exchange.begun.size());
  EXPECT_EQ(exchange.finished, 1);
  ASSERT_EQ(exchange.summed.size(), 1U);
  EXPECT_EQ(exchange.summed[0].values, parameters_.batch_state_slab().as<float>());

  std::vector<RecordedExchange::Call> sorted = exchange.begun;
  std::ranges::sort(sorted, {}, &RecordedExchange::Call::values);
  const float* end = slab.as<float>();
  for (const RecordedExchange::Call& call : sorted) {
    EXPECT_EQ(call.values, end) << "each gradient once";
    end = call.values + call.count;
  }
  EXPECT_EQ(end, slab.as<float>() + slab.shape.c);
  EXPECT_NE(exchange.begun.front(), sorted.front()) << "backward begins with the last layer";
}

// The others have begun the same exchange, and would wait for ever.
TEST_F(StepOfParts, AfterAnErrorTheSameSlicesAreExchanged) {
  FirstOfTwo group;
  RecordedExchange exchange;
  PartedStep step = step_of(group, &exchange);
  run(step, 0);
  exchange.clear();
  run(step, 1);
  const std::vector<RecordedExchange::Call> expected = exchange.begun;
  exchange.clear();
  const PartedStep::Signals signals = run(step, 2, [] { throw DataError("damaged"); });
  EXPECT_TRUE(signals.failed);
  EXPECT_EQ(exchange.begun, expected);
  EXPECT_EQ(exchange.finished, 1);
}

// The gradients' memory may go with the step.
TEST_F(StepOfParts, AStepThatEndsInItsMidstWaitsForWhatItBegan) {
  FirstOfTwo group;
  RecordedExchange exchange;
  {
    PartedStep step = step_of(group, &exchange);
    run(step, 0);
    EXPECT_THROW(run(step, 1, {},
                     [](int64_t part) {
                       if (part == 1) throw UnsupportedError("the device is gone");
                     }),
                 UnsupportedError);
    EXPECT_FALSE(exchange.begun.empty());
    EXPECT_EQ(exchange.finished, 0);
  }
  EXPECT_EQ(exchange.finished, 1);
}

// Some builds of MPI serve one thread alone.
TEST_F(StepOfParts, OverlapNeedsAGroupThatServesAnyThread) {
  FirstOfTwo any(true), one(false);
  EXPECT_TRUE(backend_->join(any)->overlaps());
  EXPECT_FALSE(backend_->join(one)->overlaps());
}

TEST_F(StepOfParts, WithoutOverlapGradientsAreSummedAtTheEnd) {
  FirstOfTwo group;
  RecordedExchange exchange;
  PartedStep step = step_of(group, &exchange, false);
  run(step, 0);
  exchange.clear();
  run(step, 1);
  EXPECT_TRUE(exchange.begun.empty());
  EXPECT_EQ(exchange.summed.size(), 2U);
}

// The tree over this process's own parts, slice by slice or at once.
TEST_F(StepOfParts, SlicesChangeNoBit) {
  const auto gradients_after_two_steps = [&](bool overlap) {
    FirstOfTwo group;
    RecordedExchange exchange;
    parameters_.initialize(1, config_.train.init);
    plan_.pack();
    PartedStep step = step_of(group, &exchange, overlap);
    run(step, 0);
    run(step, 1);
    const Tensor slab = parameters_.gradient_slab();
    return std::vector<float>(slab.as<float>(), slab.as<float>() + slab.shape.c);
  };
  EXPECT_EQ(gradients_after_two_steps(true), gradients_after_two_steps(false));
}

}  // namespace
}  // namespace bn
