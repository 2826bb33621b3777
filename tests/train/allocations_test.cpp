// A step of training in parts allocates nothing of ours once it has run.
#include <gtest/gtest.h>

#include "bn/config.hpp"
#include "bn/cpu_backend.hpp"
#include "bn/models.hpp"
#include "support/allocation_count.hpp"
#include "train/parted_step.hpp"

namespace bn {
namespace {

TEST(PartedStepAllocations, AreNoneAfterTheSecondStep) {
  const Config config = parse_config(R"(
model:
  network: {kind: mlp, image_size: 16, image_channels: 1, hidden: [40, 40]}
  classes: 10
  normalization: batch
  dropout: 0.25
data: {kind: shapes, image_size: 16, image_channels: 1, resize_shorter: 0, mean: [0.5], std: [0.25]}
train: {batch: 6, parts: 4, steps: 1, average: polyak, learning_rate: {initial: 0.1}}
)",
                                     "experiment.yaml");
  const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = 1});
  const std::unique_ptr<Group> group = alone();
  const Net net = build_network(config.model);
  Parameters parameters(net, *backend, config.train.l2_scope, true);
  parameters.initialize(1, config.train.init);
  Plan plan = compile(net, parameters, *backend, {.batch = 6, .purpose = Purpose::kTrain, .parts = 4});
  plan.pack();
  PartedStep step(plan, parameters, *backend, *group, nullptr, config.train);
  std::vector<uint8_t> pixels(6 * 16 * 16, 7);
  const std::vector<int32_t> labels{0, 1, 2, 3, 4, 5};
  const Tensor images = dense(pixels.data(), DType::kU8, plan.images().shape);
  const ImageNormalization normalization{.mean = {127}, .scale = {0.02F}};
  const std::function<void(int64_t)> load = [&](int64_t) {
    backend->load_images(plan.images(), images, normalization);
    plan.set_labels(labels.data());
  };
  const auto run = [&](uint64_t number) {
    step.run({.step = number, .learning_rate = 0.1F, .statistics_weight = 0.1F, .average_weight = 0.1F}, false, load,
             [](int64_t) {});
  };
  run(0);
  run(1);
  const test::AllocationCount count;
  run(2);
  EXPECT_EQ(count.own(), 0);
}

}  // namespace
}  // namespace bn
