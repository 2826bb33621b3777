// Statistics over the rows of several parts, each on a simulated GPU of its own.
#include <gtest/gtest.h>

#include "simt/gpu_processes.hpp"
#include "support/reference.hpp"

namespace bn::test {
namespace {

using GpuBatchNorm = GpuProcesses;

// Against the double-precision reference of all five images, and against what CPUs compute in the same two parts. The
// four processes are two pairs, with data of their own.
TEST_F(GpuBatchNorm, OfUnevenPartsIsThatOfTheWholeBatch) {
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kSigmoid}) {
    for (const Shape& shape : {Shape{5, 4, 3, 40}, Shape{5, 9, 9, 5}}) {
      const OpCase whole{.spec = BatchNorm{.activation = activation}, .x = {shape}};
      const int64_t image = shape.elements() / shape.n;
      std::vector<OpResult> gpus(4), cpus(4);
      std::vector<OpData> data;
      for (const double offset : {0.0, 1000.0}) {  // of the second pair the mean is far from zero
        data.push_back(make_data(whole));
        for (double& x : data.back().x[0]) x += offset;
        round_to_storage(whole, data.back());
      }
      const auto part_of = [](size_t rank) { return rank % 2 == 0 ? PartImages{0, 2} : PartImages{2, 3}; };
      run(4, [&](Group& group) {
        const auto rank = static_cast<size_t>(group.place().rank);
        cuda::CudaBackend gpu(options_of(group));
        gpus[rank] = result_of(gpu, group, whole, data[rank / 2], part_of(rank));
        const std::unique_ptr<Backend> cpu = make_cpu_backend({.threads = 1});
        cpus[rank] = result_of(*cpu, group, whole, data[rank / 2], part_of(rank));
      });
      for (const size_t pair : {0, 1}) {
        const OpResult expected = reference(whole, data[pair]);
        EXPECT_EQ(gpus[2 * pair].state, gpus[2 * pair + 1].state) << "the processes' statistics have different bits";
        for (const size_t rank : {2 * pair, 2 * pair + 1}) {
          const PartImages part = part_of(rank);
          const OpResult& result = gpus[rank];
          expect_within(result.y, images_of(expected.y, part, image), 2e-6, "y");
          expect_within(result.dx[0], images_of(expected.dx[0], part, image), 1e-5, "dx");
          expect_within(result.y, cpus[rank].y, 2e-6, "y of the CPU");
          expect_within(result.dx[0], cpus[rank].dx[0], 1e-5, "dx of the CPU");
          for (const size_t i : {0, 1}) {
            expect_within(result.state[i], expected.state[i], 1e-6, "statistics");
            expect_within(result.state[i], cpus[rank].state[i], 1e-6, "statistics of the CPU");
            expect_within(result.dw[i], cpus[rank].dw[i], 1e-5, "this part's share of a gradient");
          }
        }
        for (const size_t i : {0, 1}) {  // each part's own share of the gradients of gamma and beta
          Values sum = gpus[2 * pair].dw[i];
          for (size_t j = 0; j < sum.size(); ++j) sum[j] += gpus[2 * pair + 1].dw[i][j];
          expect_within(sum, expected.dw[i], 1e-5, "the gradients of gamma and beta");
        }
      }
    }
  }
}

// One image in each part: one value per feature, but two together.
TEST_F(GpuBatchNorm, CountsTheRowsOfAllParts) {
  const OpCase alone{.spec = BatchNorm{.synchronised_parts = 2}, .x = {{2, 1, 1, 8}}};
  run(2, [&](Group& group) {
    OpData data = make_data(alone);
    for (size_t i = 0; i < data.x[0].size(); ++i) data.x[0][i] = i < 8 ? 1 : 3;
    cuda::CudaBackend gpu(options_of(group));
    const OpResult result = result_of(gpu, group, alone, data, {group.place().rank, 1});
    for (const double mean : result.state[0]) EXPECT_EQ(mean, 2);
    for (const double variance : result.state[1]) EXPECT_EQ(variance, 1);
  });
}

// All parts share their statistics: a step is that of one batch, but for the order of the sums.
TEST_F(GpuBatchNorm, OfAllPartsMakesTheStepOfOneBatch) {
  const Config parts = config_with({{"batch: 6\n  parts: 4\n  steps: 8", "batch: 12\n  parts: 2\n  steps: 4"},
                                    {"dropout: 0.25\n", "dropout: 0.25\nbatch_norm: {synchronised_parts: 2}\n"},
                                    {"checkpoint_every: 4", "checkpoint_every: 1\n  keep_checkpoints: 20"}});
  const Config whole = config_with({{"batch: 6\n  parts: 4\n  steps: 8", "batch: 24\n  steps: 4"},
                                    {"checkpoint_every: 4", "checkpoint_every: 1\n  keep_checkpoints: 20"}});
  train_by(2, "parts", parts);
  train_by(1, "whole", whole);
  expect_the_same_steps("whole", whole, "parts", parts, 4);
}

}  // namespace
}  // namespace bn::test
