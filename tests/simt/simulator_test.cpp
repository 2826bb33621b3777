// Correct kernels compute the same on the simulated device as on a real one, whatever the order of their threads.
#include <gtest/gtest.h>

#include <numeric>

#include "simt/toy_kernels.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

// The sum of a block's elements by halves in shared memory; the last block to end adds those of the blocks.
__global__ void sum_kernel(float* total, float* partial, unsigned* ticket, const float* x, int count) {
  BN_SHARED(float, sums, [128]);
  BN_SHARED(bool, last);
  const auto i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  sums[threadIdx.x] = i < count ? x[i] : 0.0F;
  for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = sums[0];
    __threadfence();
    last = atomicAdd(ticket, 1U) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x > 0) return;
  float all = 0;
  for (unsigned block = 0; block < gridDim.x; ++block) all += partial[block];
  *total = all;
}

TEST(Simulator, ReducesInEveryOrderToTheSameBits) {
  std::vector<float> x(1000);
  for (size_t i = 0; i < x.size(); ++i) x[i] = 1.0F / static_cast<float>(i + 1);
  const DeviceArray<float> input(x);
  const auto results = results_under_all_schedules([&] {
    const DeviceArray<float> total(1), partial(8);
    const DeviceArray<unsigned> ticket(1);
    cuda::launch(kContext, "sum", sum_kernel, {.x = 8, .threads = 128}, total.data(), partial.data(), ticket.data(),
                 input.data(), 1000);
    EXPECT_NEAR(total.values()[0], std::accumulate(x.begin(), x.end(), 0.0), 1e-5);
    return total.values();
  });
  EXPECT_EQ(results.size(), 1U);
}

// The transpose of a matrix by tiles in dynamic shared memory.
__global__ void transpose_kernel(int* to, const int* from, int size) {
  BN_DYNAMIC_SHARED(int, tile);
  const int tiles = static_cast<int>(blockDim.x);
  const int column = static_cast<int>(blockIdx.x) * tiles + static_cast<int>(threadIdx.x);
  for (int row = 0; row < tiles; ++row) {
    tile[row * (tiles + 1) + static_cast<int>(threadIdx.x)] =
        from[(static_cast<int>(blockIdx.y) * tiles + row) * size + column];
  }
  __syncthreads();
  for (int row = 0; row < tiles; ++row) {
    to[(static_cast<int>(blockIdx.x) * tiles + row) * size + static_cast<int>(blockIdx.y) * tiles +
       static_cast<int>(threadIdx.x)] = tile[static_cast<int>(threadIdx.x) * (tiles + 1) + row];
  }
}

TEST(Simulator, TransposesThroughDynamicSharedMemory) {
  constexpr int kSize = 24, kTile = 8;
  std::vector<int> matrix(kSize * kSize), expected(kSize * kSize);
  for (int i = 0; i < kSize * kSize; ++i) matrix[i] = i, expected[i % kSize * kSize + i / kSize] = i;
  const DeviceArray<int> from(matrix);
  results_under_all_schedules([&] {
    const DeviceArray<int> to(matrix.size());
    cuda::launch(
        kContext, "transpose", transpose_kernel,
        {.x = kSize / kTile, .y = kSize / kTile, .threads = kTile, .shared_bytes = kTile * (kTile + 1) * sizeof(int)},
        to.data(), from.data(), kSize);
    EXPECT_EQ(to.values(), expected);
    return to.values();
  });
}

__global__ void add_one(float* x, int count) {
  const auto i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < count) x[i] += 1.0F;
}

TEST(Simulator, RecordsAndReplaysAStream) {
  cuda::Context context;
  BN_CUDA(cudaStreamCreateWithFlags(&context.compute, cudaStreamNonBlocking));
  const DeviceArray<float> x(5);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  BN_CUDA(cudaStreamBeginCapture(context.compute, cudaStreamCaptureModeThreadLocal));
  cuda::launch(context, "add_one", add_one, {.threads = 8}, x.data(), 5);
  BN_CUDA(cudaStreamEndCapture(context.compute, &graph));
  EXPECT_EQ(x.values(), std::vector<float>(5, 0.0F)) << "recording runs nothing";
  BN_CUDA(cudaGraphInstantiate(&executable, graph, 0));
  BN_CUDA(cudaGraphDestroy(graph));
  for (int i = 0; i < 3; ++i) BN_CUDA(cudaGraphLaunch(executable, context.compute));
  EXPECT_EQ(x.values(), std::vector<float>(5, 3.0F));
  BN_CUDA(cudaGraphExecDestroy(executable));
  BN_CUDA(cudaStreamDestroy(context.compute));
}

TEST(Simulator, ARecordingThatWasRefusedSomethingIsOfNoUse) {
  cudaStream_t stream = nullptr;
  BN_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  BN_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  EXPECT_EQ(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
  cudaGraph_t graph = nullptr;
  EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
  EXPECT_EQ(graph, nullptr);
  BN_CUDA(cudaStreamSynchronize(stream));
  BN_CUDA(cudaStreamDestroy(stream));
}

TEST(Simulator, AKernelBesideARecordingIsAFault) {
  cuda::Context recorded, other;
  for (cuda::Context* context : {&recorded, &other}) {
    BN_CUDA(cudaStreamCreateWithFlags(&context->compute, cudaStreamNonBlocking));
  }
  const DeviceArray<float> x(5);
  const auto start = [&] { cuda::launch(other, "add_one", add_one, {.threads = 8}, x.data(), 5); };
  start();
  BN_CUDA(cudaStreamBeginCapture(recorded.compute, cudaStreamCaptureModeThreadLocal));
  EXPECT_EQ(error_message<simt::Fault>(start), "Kernel add_one: its stream is not the one that its thread records.");
  cudaGraph_t graph = nullptr;
  BN_CUDA(cudaStreamEndCapture(recorded.compute, &graph));
  BN_CUDA(cudaGraphDestroy(graph));
  for (const cuda::Context* context : {&recorded, &other}) BN_CUDA(cudaStreamDestroy(context->compute));
  EXPECT_EQ(error_message<simt::Fault>(start), "Kernel add_one: its stream does not exist.");
}

TEST(Simulator, CountsWhatIsHeld) {
  const simt::Held before = simt::held();
  cudaEvent_t event = nullptr;
  BN_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  EXPECT_EQ(simt::held().events, before.events + 1);
  BN_CUDA(cudaEventDestroy(event));
  EXPECT_EQ(cudaEventDestroy(event), cudaErrorInvalidResourceHandle) << "it is no more";
  EXPECT_TRUE(simt::held() == before);
}

#ifndef __SANITIZE_ADDRESS__  // which sees it by itself, and stops
TEST(Simulator, SeesWhatIsWrittenIntoFreedMemory) {
  float* memory = nullptr;
  BN_CUDA(cudaMalloc(&memory, 40));
  BN_CUDA(cudaFree(memory));
  simt::require_freed_memory_intact();
  const float kept = memory[3];
  memory[3] = 1.0F;
  EXPECT_THROW(simt::require_freed_memory_intact(), simt::Fault);
  memory[3] = kept;
}
#endif

}  // namespace
}  // namespace bn::test
