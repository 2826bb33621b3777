// Tests of the tests: kernels that are wrong on purpose, each in one of the ways that the simulator must catch.
#include <gtest/gtest.h>

#include "own_ops/tested_backend.hpp"
#include "simt/toy_kernels.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

using simt::Fault;

// Touching what lies outside an array ends the program under the address sanitizer; without it a write is found.
#ifdef __SANITIZE_ADDRESS__
#define EXPECT_CAUGHT(statement, message) EXPECT_DEATH(statement, "AddressSanitizer: use-after-poison")
#else
#define EXPECT_CAUGHT(statement, message)                                \
  do {                                                                   \
    const std::string caught = error_message<Fault>([&] { statement; }); \
    EXPECT_NE(caught.find(message), std::string::npos) << caught;        \
  } while (false)
#endif

std::string fault_of(void (*kernel)(float*), const cuda::Grid& grid) {
  const DeviceArray<float> x(64);
  return error_message<Fault>([&] { cuda::launch(kContext, "broken", kernel, grid, x.data()); });
}

__global__ void some_return_before_the_barrier(float* x) {
  if (blockIdx.x == 1 && threadIdx.x >= 40) return;
  __syncthreads();
  x[threadIdx.x] = 1;
}

TEST(BrokenKernels, ABarrierThatEndedThreadsMissIsAFault) {
  const std::string message = fault_of(some_return_before_the_barrier, {.x = 2, .threads = 64});
  EXPECT_EQ(message.find("Kernel broken, block (1, 0): its threads wait for each other forever: 40 threads from thread "
                         "0 at the barrier of broken_kernels_test.cpp:"),
            0U)
      << message;
  EXPECT_NE(message.find("; 24 threads from thread 40 ended."), std::string::npos) << message;
}

__global__ void two_barriers(float* x) {
  if (threadIdx.x == 7) {  // NOLINT(bugprone-branch-clone)
    __syncthreads();
  } else {
    __syncthreads();
  }
  x[threadIdx.x] = 1;
}

TEST(BrokenKernels, WaitingAtDifferentBarriersIsAFault) {
  const std::string message = fault_of(two_barriers, {.threads = 64});
  EXPECT_NE(message.find("63 threads from thread 0 at the barrier"), std::string::npos) << message;
  EXPECT_NE(message.find("thread 7 at the barrier"), std::string::npos) << message;
}

// Thread i reads what thread i + 1 wrote.
template <bool Waits>
__global__ void reads_its_neighbour(float* x) {
  BN_SHARED(float, values, [64]);
  values[threadIdx.x] = static_cast<float>(threadIdx.x);
  if constexpr (Waits) __syncthreads();
  x[threadIdx.x] = values[(threadIdx.x + 1) % 64];
}

size_t distinct_results(void (*kernel)(float*)) {
  return results_under_all_schedules([&] {
           const DeviceArray<float> x(64);
           cuda::launch(kContext, "broken", kernel, {.x = 3, .threads = 64}, x.data());
           return x.values();
         })
      .size();
}

TEST(BrokenKernels, AMissingBarrierChangesTheBits) {
  EXPECT_EQ(distinct_results(reads_its_neighbour<true>), 1U);
  EXPECT_GT(distinct_results(reads_its_neighbour<false>), 1U);
}

// The barrier between two uses of the same memory.
template <bool Waits>
__global__ void uses_it_twice(float* x) {
  BN_SHARED(float, value, [1]);
  for (int round = 0; round < 2; ++round) {
    if (threadIdx.x == static_cast<unsigned>(round) * 9) value[0] = static_cast<float>(round);
    __syncthreads();
    x[threadIdx.x] = value[0] + x[threadIdx.x] * 2;
    if constexpr (Waits) __syncthreads();
  }
}

TEST(BrokenKernels, AMissingBarrierBeforeTheNextUseChangesTheBits) {
  EXPECT_EQ(distinct_results(uses_it_twice<true>), 1U);
  EXPECT_GT(distinct_results(uses_it_twice<false>), 1U);
}

// Warps that reach past each other without a barrier.
__global__ void trusts_the_warp(float* x) {
  BN_SHARED(float, values, [64]);
  const unsigned i = threadIdx.x;
  values[i] = static_cast<float>(i);
  __syncthreads();
  for (unsigned half = 16; half > 0; half /= 2) {
    if (i % 32 < half) values[i] += values[i + half];
  }
  x[i] = values[i];
}

TEST(BrokenKernels, AMissingWarpBarrierChangesTheBits) { EXPECT_GT(distinct_results(trusts_the_warp), 1U); }

// All blocks write one element.
__global__ void blocks_race(float* x) {
  if (threadIdx.x == 0) x[0] = static_cast<float>(blockIdx.x);
}

TEST(BrokenKernels, ARaceOfBlocksChangesTheBits) { EXPECT_GT(distinct_results(blocks_race), 1U); }

template <bool Dynamic>
__global__ void reads_what_nobody_wrote(float* x) {
  BN_SHARED(float, values, [64]);
  BN_DYNAMIC_SHARED(float, more);
  float* from = Dynamic ? more : values;
  if (threadIdx.x != 20) from[threadIdx.x] = 0.0F;
  __syncthreads();
  x[threadIdx.x] = from[63 - threadIdx.x] > 0.0F ? 1.0F : 0.0F;
}

TEST(BrokenKernels, ReadingUnwrittenSharedMemoryChangesTheBits) {
  for (const auto kernel : {reads_what_nobody_wrote<false>, reads_what_nobody_wrote<true>}) {
    const auto results = results_under_all_schedules([&] {
      const DeviceArray<float> x(64);
      cuda::launch(kContext, "broken", kernel, {.threads = 64, .shared_bytes = 256}, x.data());
      return x.values();
    });
    EXPECT_GT(results.size(), 1U);
  }
}

// A block must not even read what an earlier block has left.
__global__ void reads_the_block_before(float* x) {
  BN_SHARED(float, value, [1]);
  if (blockIdx.x == 0) value[0] = 1;
  __syncthreads();
  x[blockIdx.x * 16 + threadIdx.x % 16] = value[0];
}

TEST(BrokenKernels, SharedMemoryDoesNotOutliveABlock) { EXPECT_GT(distinct_results(reads_the_block_before), 1U); }

__global__ void writes_past_a_shared_array(float* x, unsigned extra) {
  BN_SHARED(float, values, [32]);
  values[threadIdx.x + extra] = x[threadIdx.x];
  x[threadIdx.x] = values[threadIdx.x];
}

TEST(BrokenKernels, WritingPastASharedArrayIsCaught) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the index is out of the array's type, which the undefined-behaviour sanitizer reports first";
#endif
  const DeviceArray<float> x(64);
  EXPECT_CAUGHT(cuda::launch(kContext, "broken", writes_past_a_shared_array, {.threads = 32}, x.data(), 1),
                "Kernel broken, block (0, 0): wrote to byte 128 of shared memory that has 128 bytes.");
}

__global__ void writes_before_dynamic_shared(float* x) {
  BN_DYNAMIC_SHARED(float, values);
  values[static_cast<int>(threadIdx.x) - 1] = x[threadIdx.x];
}

TEST(BrokenKernels, WritingBeforeDynamicSharedMemoryIsCaught) {
  const DeviceArray<float> x(64);
  EXPECT_CAUGHT(
      cuda::launch(kContext, "broken", writes_before_dynamic_shared, {.threads = 32, .shared_bytes = 128}, x.data()),
      "wrote to byte -4 of shared memory that has 128 bytes.");
}

__global__ void writes_past_global_memory(float* x) { x[threadIdx.x] = 1.0F; }

TEST(BrokenKernels, WritingPastGlobalMemoryIsCaught) {
  const DeviceArray<float> x(63);
  EXPECT_CAUGHT(cuda::launch(kContext, "broken", writes_past_global_memory, {.threads = 64}, x.data()),
                "Kernel broken: wrote to byte 252 of an allocation that has 252 bytes.");
}

#ifdef __SANITIZE_ADDRESS__
__global__ void reads_past_an_array(float* x, int which) {
  BN_SHARED(float, values, [32]);
  BN_DYNAMIC_SHARED(float, more);
  const float* from = which == 0 ? values : which == 1 ? more : x;
  if (threadIdx.x == 0) x[0] = from[32];
}

__global__ void reads_two_floats(float* x) {
  const float2 both = *reinterpret_cast<const float2*>(x + threadIdx.x);
  if (threadIdx.x == 0) x[8] = both.x;
}

TEST(BrokenKernelsSanitized, ReadingOutsideAnArrayIsCaught) {
  const DeviceArray<float> x(32);
  for (const int which : {0, 1, 2}) {
    EXPECT_DEATH(
        cuda::launch(kContext, "broken", reads_past_an_array, {.threads = 1, .shared_bytes = 128}, x.data(), which),
        "AddressSanitizer: use-after-poison.*reads_past_an_array")
        << which;
  }
}

// Tensors are guarded as the cases of ops guard them.
TEST(BrokenKernelsSanitized, ReadingPastATensorIsCaught) {
  const GuardedTensor tensor(tested_backend(), DType::kF32, vector_shape(32));
  EXPECT_DEATH(cuda::launch(kContext, "broken", reads_past_an_array, {.threads = 1, .shared_bytes = 128},
                            tensor.tensor().as<float>(), 2),
               "AddressSanitizer: use-after-poison.*reads_past_an_array");
}

TEST(BrokenKernelsSanitized, AnIndexBeyondASharedArrayIsCaught) {
  const DeviceArray<float> x(64);
  EXPECT_DEATH(cuda::launch(kContext, "broken", writes_past_a_shared_array, {.threads = 32}, x.data(), 1),
               "index 32 out of bounds");
}

TEST(BrokenKernelsSanitized, AMisalignedVectorIsCaught) {
  const DeviceArray<float> x(64);
  EXPECT_DEATH(cuda::launch(kContext, "broken", reads_two_floats, {.threads = 2}, x.data()), "misaligned address");
}

TEST(BrokenKernelsSanitized, FreedMemoryIsCaught) {
  float* freed = nullptr;
  {
    const DeviceArray<float> x(64);
    freed = x.data();
  }
  EXPECT_DEATH(cuda::launch(kContext, "broken", writes_past_global_memory, {.threads = 1}, freed),
               "AddressSanitizer: heap-use-after-free");
}
#endif

TEST(BrokenKernels, ImpossibleGridsAreFaults) {
  EXPECT_EQ(fault_of(writes_past_global_memory, {.threads = 1025}),
            "Kernel broken: a grid of (1, 1) blocks of 1025 threads cannot be launched.");
  EXPECT_EQ(fault_of(writes_past_global_memory, {.x = 0, .threads = 1}),
            "Kernel broken: a grid of (0, 1) blocks of 1 threads cannot be launched.");
  EXPECT_EQ(fault_of(writes_past_global_memory, {.threads = 1, .shared_bytes = 50'000}),
            "Kernel broken: 50000 bytes of dynamic shared memory were asked for, but it has a limit of 49152.");
}

TEST(BrokenKernels, AFaultLeavesTheDeviceUsable) {
  fault_of(some_return_before_the_barrier, {.x = 2, .threads = 64});
  EXPECT_EQ(distinct_results(reads_its_neighbour<true>), 1U);
}

}  // namespace
}  // namespace bn::test
