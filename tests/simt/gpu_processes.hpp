// Several processes with a GPU each: threads that take turns at simulated GPUs, and exchange by a double of NCCL.
#pragma once

#include <functional>
#include <string>

#include "cuda/backend.hpp"
#include "simt/simulator/device.hpp"
#include "simt/simulator/turn.hpp"
#include "support/parted_runs.hpp"
#include "support/shapes_experiment.hpp"
#include "support/thread_group.hpp"

namespace bn::simt {

// Stands in for NVIDIA's NCCL: its processes are threads that take turns (simulator/turn.hpp), its GPUs the simulated
// ones. Exchanges are done in the streams' order. It throws Fault where the real library would hang, crash or give
// anything: where two processes make other calls or give other counts, a GPU is used twice, memory is not a device's, a
// call is recorded, or a communicator is destroyed twice.
struct NcclDouble {
  int version = 22809;
  int unique_id_result = 0, init_result = 0, exchange_result = 0;  // returned by these calls
  int communicators = 0;                                           // that live
  int exchanges = 0;                                               // groups of calls, in all processes
};
NcclDouble& nccl_double();

}  // namespace bn::simt

namespace bn::test {

// What they train: the parts' statistics differ, the dropout too; 7 steps an epoch.
inline const std::string kGpuExperiment = R"(model:
  network: {kind: mlp, image_size: 16, image_channels: 1, hidden: [12, 9]}
  classes: 10
  normalization: batch
  dropout: 0.25
)" + shapes_data(170, 23) + R"(train:
  batch: 6
  parts: 4
  steps: 8
  learning_rate: {initial: 0.1}
  l2: 0.001
  average: polyak
  log_every: 1
  evaluate_every: 4
  evaluate_batch: 7
  checkpoint_every: 4
device: cuda
threads: 1
)";

class GpuProcesses : public PartedRuns {
 protected:
  GpuProcesses() : PartedRuns(kGpuExperiment) {}
  void SetUp() override { simt::machine().devices = kGpus; }
  void TearDown() override {
    EXPECT_EQ(simt::nccl_double().communicators, 0) << "each is destroyed, and once";
    simt::machine() = {};
    simt::nccl_double() = {};
    cudaSetDevice(0);
  }

  // Runs work(group) in each process when it is its turn.
  static void run(int64_t processes, const std::function<void(Group&)>& work) {
    ThreadGroup(processes, simt::away_from_turn).run([&](Group& group) {
      const simt::Turn turn;
      work(group);
    });
  }

  // A GPU for each: the threads are on hosts of their own, but on one machine.
  static CudaOptions options_of(const Group& group) { return {.device = group.place().rank}; }

  TrainResult train_by(int64_t processes, const std::string& name, const Config& config,
                       const TrainRequest& request = {}) const {
    TrainResult result;
    run(processes, [&](Group& group) {
      cuda::CudaBackend backend(options_of(group));
      const TrainResult mine = train_in(group, backend, name, config, request);
      if (group.is_first()) result = mine;
    });
    return result;
  }

  static constexpr int kGpus = 4;
};

}  // namespace bn::test
