// What processes with a GPU each compute and refuse, on simulated GPUs.
#include <gtest/gtest.h>

#include <array>
#include <atomic>

#include "bn/error.hpp"
#include "bn/rng.hpp"
#include "cuda/kernels/exchange.hpp"
#include "cuda/memory.hpp"
#include "cuda/nccl.hpp"
#include "cuda/own_device.hpp"
#include "group/tree.hpp"
#include "simt/gpu_processes.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

std::vector<float> random_floats(int64_t count, uint64_t stream) {
  RandomStream random(3, stream);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

TEST_F(GpuProcesses, TheirNumberChangesNoBit) {
  for (const char* precision : {"f32", "bf16"}) {
    Config config = config_with();
    config.precision = precision == std::string("bf16") ? DType::kBf16 : DType::kF32;
    const auto name = [&](int64_t processes) { return fmt::format("{}_{}", precision, processes); };
    train_by(1, name(1), config);
    EXPECT_EQ(simt::nccl_double().exchanges, 0) << "a process alone needs no NCCL";
    for (const int64_t processes : {2, 4}) {
      train_by(processes, name(processes), config);
      EXPECT_TRUE(checkpoint(name(processes), 8) == checkpoint(name(1), 8)) << name(processes);
      EXPECT_EQ(curve(name(processes)), curve(name(1)));
      EXPECT_EQ(simt::nccl_double().exchanges, 2 * 8 * processes) << "two groups of calls a step";
      simt::nccl_double().exchanges = 0;
    }
  }
}

TEST_F(GpuProcesses, AStoppedRunGoesOnWithAnotherNumber) {
  const Config config = config_with();
  train_by(1, "reference", config);
  std::atomic<int> asked = 0;
  const TrainResult stopped = train_by(4, "run", config, {.stop = [&] { return ++asked == 14; }});
  EXPECT_EQ(stopped.outcome, TrainOutcome::kInterrupted);
  EXPECT_LT(stopped.progress.step, 6);
  EXPECT_EQ(train_by(2, "run", config, {.resume = true}).outcome, TrainOutcome::kFinished);
  EXPECT_TRUE(checkpoint("run", 8) == checkpoint("reference", 8));
}

TEST_F(GpuProcesses, AllDivergeAtTheSameStep) {
  const Config config = config_with({{"initial: 0.1", "initial: 1e30"}, {"log_every: 1", "log_every: 4"}});
  expect_divergence_at_the_same_step(
      [&](int64_t processes) { return train_by(processes, "by_" + std::to_string(processes), config); });
}

// Slabs that are shorter than the processes' accesses, or have a rest, or none.
TEST_F(GpuProcesses, SumsAreThoseOfTheHost) {
  for (const int64_t processes : {2, 4}) {
    for (const std::vector<int64_t>& counts : {std::vector<int64_t>{1, 16}, {15, 1000}, {1003, 64}}) {
      run(processes, [&](Group& group) {
        cuda::CudaBackend backend(options_of(group));
        const std::unique_ptr<Exchange> exchange = backend.join(group);
        std::vector<std::unique_ptr<Buffer>> memory;
        std::vector<Tensor> slabs;
        std::vector<std::vector<float>> expected;
        for (const int64_t count : counts) {
          expected.push_back(random_floats(count, static_cast<uint64_t>(100 * group.place().rank + count)));
          memory.push_back(backend.allocate(count * 4));
          slabs.push_back(dense(memory.back()->data(), DType::kF32, vector_shape(count)));
          backend.upload(slabs.back().data, expected.back().data(), slabs.back().bytes());
          group.sum(expected.back());
        }
        const std::unique_ptr<Buffer> state = backend.allocate(sizeof(StepState));
        StepState step{.first_bad_step = group.place().rank == 0 ? -1 : 10 - group.place().rank};
        backend.upload(state->data(), &step, sizeof(step));
        exchange->sum(slabs, static_cast<StepState*>(state->data()));
        for (size_t i = 0; i < slabs.size(); ++i) {
          std::vector<float> sum(expected[i].size());
          backend.download(sum.data(), slabs[i].data, slabs[i].bytes());
          EXPECT_EQ(sum, expected[i]) << counts[i] << " values in " << processes << " processes";
        }
        backend.download(&step, state->data(), sizeof(step));
        EXPECT_EQ(step.first_bad_step, 11 - processes) << "the last process's is the first step";
      });
    }
  }
}

TEST(TreeSum, IsThatOfTheHostUnderEverySchedule) {
  cuda::CudaBackend backend({});
  for (const int64_t terms : {2, 4, 8, 16, 64}) {
    for (const int64_t count : {1, 4, 1000, 1003}) {
      const int64_t stride = count + 4 - count % 4;
      const std::vector<float> values = random_floats(terms * stride, static_cast<uint64_t>(terms));
      std::vector<float> host = values, sum(static_cast<size_t>(count));
      std::vector<float*> pointers;
      for (int64_t k = 0; k < terms; ++k) pointers.push_back(host.data() + k * stride);
      add_by_tree(pointers, count);
      host.resize(static_cast<size_t>(count));
      for (const simt::Schedule& schedule : simt::all_schedules()) {
        simt::set_schedule(schedule);
        const auto bytes = static_cast<int64_t>(values.size() * sizeof(float));
        const std::unique_ptr<Buffer> device = backend.allocate(bytes), to = backend.allocate(count * 4);
        backend.upload(device->data(), values.data(), bytes);
        cuda::tree_sum(backend.context(), static_cast<float*>(to->data()), static_cast<float*>(device->data()), stride,
                       terms, count);
        backend.download(sum.data(), to->data(), count * 4);
        EXPECT_EQ(sum, host) << terms << " terms of " << count << ", " << to_string(schedule);
      }
    }
  }
  simt::set_schedule(simt::all_schedules().front());
}

// --- Who takes which GPU.

using Visible = std::vector<std::string>;

// A group whose processes are on one host. It counts the waits that are watched.
class OneHost final : public ForwardingGroup {
 public:
  explicit OneHost(Group& group) : ForwardingGroup(group), place_(group.place()) { place_.host = "host"; }
  const Place& place() const override { return place_; }
  void watch(const std::function<void()>& wait) override {
    ++watches;
    ForwardingGroup::watch(wait);
  }

  int watches = 0;

 private:
  Place place_;
};

TEST_F(GpuProcesses, OfOneMachineTakeGpusInTurn) {
  run(4, [](Group& group) {
    EXPECT_EQ(cuda::own_device({}, group, {"a", "b", "c", "d"}), 0) << "each is on a host of its own";
  });
  ThreadGroup(4).run([](Group& group) {
    OneHost here(group);
    const int64_t rank = group.place().rank;
    EXPECT_EQ(cuda::own_device({}, here, {"a", "b", "c", "d"}), rank);
    EXPECT_EQ(cuda::own_device({.device = 2}, here, {"a", "b", "c", "d", "e", "f"}), 2 + rank);
    EXPECT_EQ(cuda::own_device({}, here, {std::string(1, static_cast<char>('a' + rank))}), 0)
        << "the launcher gave each a GPU of its own";
    EXPECT_EQ(cuda::own_device({}, here, rank < 2 ? Visible{"a", "b"} : Visible{"c", "d"}), rank % 2);
  });
}

TEST_F(GpuProcesses, MoreThanTheGpusAreRefused) {
  const auto refusal = [](const CudaOptions& options, const Visible& visible) {
    std::string message;
    ThreadGroup(4).run([&](Group& group) {
      OneHost here(group);
      const std::string mine = error_message<AgreedError>([&] { cuda::own_device(options, here, visible); });
      if (group.is_first()) message = mine;
    });
    return message;
  };
  EXPECT_EQ(refusal({}, {"a", "b"}),
            "each process needs a GPU of its own, but 4 processes on host see 2 from cuda.device 0 on; start as many "
            "processes there as it has GPUs");
  EXPECT_NE(refusal({.device = 3}, {"a", "b", "c", "d"}).find("4 processes on host see 1 from cuda.device 3 on"),
            std::string::npos);
  EXPECT_EQ(refusal({.convolution_choice = ConvolutionChoice::kMeasured}, {"a", "b", "c", "d"}),
            "cuda.convolutions: measured lets each process choose other algorithms, so several processes need "
            "heuristic");
}

// A stream does not end when a process is lost that it exchanges with.
TEST_F(GpuProcesses, AreWatchedWhileTheyWait) {
  run(2, [](Group& group) {
    OneHost watched(group);
    cuda::CudaBackend backend(options_of(group));
    const std::unique_ptr<Exchange> exchange = backend.join(watched);
    EXPECT_EQ(watched.watches, 1) << "while they connect";
    backend.synchronize();
    EXPECT_EQ(watched.watches, 2);
  });
}

// --- What NCCL refuses.

class Nccl : public GpuProcesses {
 protected:
  template <class ExpectedError>
  std::string refusal() const {
    std::string message;
    run(2, [&](Group& group) {
      cuda::CudaBackend backend(options_of(group));
      const std::string mine = error_message<ExpectedError>([&] { backend.join(group); });
      if (group.is_first()) message = mine;
    });
    return message;
  }
};

TEST_F(Nccl, OfAnOldVersionIsRefused) {
  simt::nccl_double().version = 21701;
  EXPECT_EQ(refusal<AgreedError>(),
            "several processes with a GPU each need NCCL 2.18.0 or newer, but the loader found 2.17.1 (LD_LIBRARY_PATH "
            "decides which it takes)");
}

TEST_F(Nccl, ThatDoesNotStartSaysWhy) {
  simt::nccl_double().unique_id_result = cuda::kNcclSystemError;
  EXPECT_EQ(refusal<AgreedError>(),
            "NCCL cannot begin: unhandled system error (the double's last words); with NCCL_DEBUG=WARN in the "
            "environment it says more");
}

TEST_F(Nccl, ThatDoesNotConnectSaysWhy) {
  simt::nccl_double().init_result = cuda::kNcclSystemError;
  EXPECT_EQ(refusal<Error>(),
            "NCCL cannot connect the GPUs of the 2 processes: unhandled system error (the double's last words); with "
            "NCCL_DEBUG=WARN in the environment it says more");
}

TEST_F(Nccl, OnOneGpuForTwoProcessesDoesNotConnect) {
  run(2, [&](Group& group) {
    cuda::CudaBackend backend({.device = 1});
    const std::string message = error_message<Error>([&] { backend.join(group); });
    EXPECT_EQ(message.find("NCCL cannot connect the GPUs of the 2 processes: invalid usage"), 0U) << message;
  });
}

TEST_F(Nccl, LosesAPeer) {
  run(2, [&](Group& group) {
    cuda::CudaBackend backend(options_of(group));
    const std::unique_ptr<Exchange> exchange = backend.join(group);
    const std::unique_ptr<Buffer> memory = backend.allocate(sizeof(StepState));
    simt::nccl_double().exchange_result = cuda::kNcclRemoteError;
    try {
      exchange->sum({}, static_cast<StepState*>(memory->data()));
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), ExitCode::kPeerLost);
      EXPECT_EQ(std::string(error.what()).find("NCCL cannot exchange what the processes have computed: remote process"),
                0U)
          << error.what();
    }
  });
}

// --- The double sees what the real library would hang on.

using cuda::NcclType;

class NcclDouble : public GpuProcesses {
 protected:
  // What a process calls, with memory of its GPU for 20 values.
  using Calls = std::function<void(const cuda::Nccl&, ncclComm*, float*, int rank, cudaStream_t)>;
  static void expect_fault(const std::string& message, const Calls& calls) {
    run(2, [&](Group& group) {
      const cuda::CudaBackend backend(options_of(group));
      const cuda::DeviceMemory memory(80);
      const auto rank = static_cast<int>(group.place().rank);
      std::array<cuda::NcclId, 1> id{};
      if (group.is_first()) cuda::nccl().get_unique_id(id.data());
      group.broadcast(std::as_writable_bytes(std::span(id)));
      ncclComm* communicator = nullptr;
      ASSERT_EQ(cuda::nccl().init_rank(&communicator, 2, id.front(), rank), 0);
      EXPECT_EQ(error_message<simt::Fault>([&] {
                  calls(cuda::nccl(), communicator, static_cast<float*>(memory.data()), rank,
                        backend.context().compute);
                }),
                message);
      cuda::nccl().destroy(communicator);
    });
  }
};

TEST_F(NcclDouble, SeesOtherCounts) {
  expect_fault("NCCL: what is gathered of processes 0 and 1: 8 and 9 values.",
               [](const cuda::Nccl& nccl, ncclComm* all, float* data, int rank, cudaStream_t stream) {
                 nccl.all_gather(data, data, rank == 0 ? 8 : 9, NcclType::kFloat32, all, stream);
               });
}

TEST_F(NcclDouble, SeesACallThatAPeerDoesNotMake) {
  expect_fault("NCCL: what is sent and received of processes 0 and 1: 0 and 1 calls.",
               [](const cuda::Nccl& nccl, ncclComm* all, float* data, int rank, cudaStream_t stream) {
                 nccl.group_start();
                 if (rank == 1) nccl.receive(data, 4, NcclType::kFloat32, 0, all, stream);
                 nccl.all_gather(data, data, 1, NcclType::kFloat32, all, stream);
                 nccl.group_end();
               });
}

TEST_F(NcclDouble, SeesTheHostsMemory) {
  expect_fault("NCCL: memory that is not a device's.",
               [](const cuda::Nccl& nccl, ncclComm* all, float* data, int, cudaStream_t stream) {
                 float host = 1;
                 nccl.all_gather(&host, data, 1, NcclType::kFloat32, all, stream);
               });
}

TEST_F(NcclDouble, SeesACallThatIsRecorded) {
  expect_fault("NCCL: a call is recorded, which this project does not do.",
               [](const cuda::Nccl& nccl, ncclComm* all, float* data, int, cudaStream_t stream) {
                 cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
                 const auto end = [stream] {
                   cudaGraph_t graph = nullptr;
                   cudaStreamEndCapture(stream, &graph);
                   cudaGraphDestroy(graph);
                 };
                 try {
                   nccl.all_gather(data, data, 1, NcclType::kFloat32, all, stream);
                 } catch (const simt::Fault&) {
                   end();
                   throw;
                 }
                 end();
               });
}

}  // namespace
}  // namespace bn::test
