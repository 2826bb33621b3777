#include <gtest/gtest.h>
#include <omp.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dnnl.hpp>
#include <filesystem>
#include <iterator>
#include <vector>

#include "bn/error.hpp"
#include "cpu/cpu_backend.hpp"
#include "support/error_message.hpp"
#include "system/usable_cores.hpp"

namespace bn::test {
namespace {

// Restores the number of threads that the other tests run with.
class CpuBackendTest : public testing::Test {
 protected:
  ~CpuBackendTest() override { omp_set_num_threads(threads_); }

 private:
  int threads_ = omp_get_max_threads();
};

TEST_F(CpuBackendTest, NamesTheProcessorItsInstructionsAndTheThreads) {
  const auto one = make_cpu_backend({.threads = 1}), three = make_cpu_backend({.threads = 3, .reason = "affinity"});
  EXPECT_EQ(one->name().find("cpu: "), 0U) << one->name();
  EXPECT_TRUE(one->name().ends_with(", 1 thread")) << one->name();
  EXPECT_TRUE(three->name().ends_with(", 3 threads (affinity)")) << three->name();
  EXPECT_NE(three->name().find("), oneDNN "), std::string::npos) << three->name();
  EXPECT_TRUE(one->name().find("avx") != std::string::npos || one->name().find("sse") != std::string::npos)
      << one->name();
}

// Another compiler's last bits are others: a run is not continued by a program of clang's as if nothing had changed.
TEST_F(CpuBackendTest, ItsComputationSaysWhetherClangCompiledIt) {
#ifdef __clang__
  constexpr bool kByClang = true;
#else
  constexpr bool kByClang = false;
#endif
  const std::string computation = make_cpu_backend({})->computation();
  EXPECT_EQ(computation.find(" by clang,") != std::string::npos, kByClang) << computation;
}

TEST_F(CpuBackendTest, SetsTheNumberOfThreads) {
  const auto backend = make_cpu_backend({.threads = 3});
  EXPECT_EQ(omp_get_max_threads(), 3);
  const auto all = make_cpu_backend({});
  EXPECT_TRUE(all->name().ends_with(" (" + default_threads().reason + ")")) << all->name();
  EXPECT_EQ(omp_get_max_threads(), default_threads().count);
}

TEST_F(CpuBackendTest, RefusesANegativeNumberOfThreads) {
  EXPECT_EQ(error_message<ConfigError>([] { make_cpu_backend({.threads = -2}); }),
            "The number of threads must be 0 (all) or more, not -2.");
}

TEST_F(CpuBackendTest, AllocatesAlignedZeroedMemory) {
  for (const int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{1000}, (int64_t{5} << 20) + 3}) {
    const auto buffer = cpu_backend().allocate(bytes);
    EXPECT_EQ(buffer->bytes(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % 64, 0U);
    const auto* data = static_cast<const char*>(buffer->data());
    EXPECT_TRUE(std::all_of(data, data + bytes, [](char byte) { return byte == 0; }));
  }
}

TEST_F(CpuBackendTest, SaysHowMuchMemoryWasMissing) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer ends the program when so much memory is asked for";
#endif
  const std::string message = error_message<OutOfMemoryError>([] { cpu_backend().allocate(int64_t{1} << 60); });
  EXPECT_EQ(message.find("This machine has not enough memory: 1152921504.61 GB were asked for, "), 0U) << message;
}

// Writes what an allocation beyond the limit of this process's memory says, and ends it.
[[noreturn]] void allocate_beyond_the_limit() {
  const rlimit limit{.rlim_cur = 1 << 30, .rlim_max = 1 << 30};
  setrlimit(RLIMIT_AS, &limit);
  const std::string message = error_message<OutOfMemoryError>([] { cpu_backend().allocate(1 << 30); });
  std::fputs(message.c_str(), stderr);
  std::exit(0);
}

TEST_F(CpuBackendTest, TellsALimitFromAFullMachine) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the address sanitizer needs more address space than it may have here";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(allocate_beyond_the_limit(), testing::ExitedWithCode(0),
              "This program, which ulimit -v, a container or a job's request may limit, has not enough memory: 1.07 GB "
              "were asked for, ");
}

TEST_F(CpuBackendTest, MovesMemory) {
  const auto buffer = cpu_backend().allocate(8);
  cpu_backend().upload(buffer->data(), "1234567", 8);
  cpu_backend().zero(static_cast<char*>(buffer->data()) + 2, 2);
  char host[8];
  cpu_backend().download(host, buffer->data(), 8);
  cpu_backend().synchronize();
  EXPECT_EQ(std::memcmp(host,
                        "12\0\0"
                        "567",
                        8),
            0);
}

std::string refusal(const CpuOptions& options, DType dtype) {
  return error_message<UnsupportedError>([&] { make_cpu_backend(options)->require(dtype); });
}

TEST_F(CpuBackendTest, StoresActivationsInF32AndBf16) {
  EXPECT_NO_THROW(cpu_backend().require(DType::kF32));
  EXPECT_NO_THROW(cpu_backend().require(DType::kBf16));
  EXPECT_EQ(refusal({}, DType::kU8), "Activations cannot be stored as u8.");
}

TEST_F(CpuBackendTest, MultipliesInBf16OnlyWithAvx512) {
  const CpuOptions options{.bfloat16_math = Bfloat16Math::kBf16};
  const std::unique_ptr<Backend> backend = make_cpu_backend(options);
  EXPECT_NO_THROW(backend->require(DType::kF32));
  if (backend->name().find("avx512_core") != std::string::npos) {
    EXPECT_NO_THROW(backend->require(DType::kBf16));
    return;
  }
  const std::string message =
      "cpu.bfloat16_math bf16 needs AVX-512, and this is " + backend->name() + "; automatic and f32 do not.";
  EXPECT_EQ(refusal(options, DType::kBf16), message);
  const OpDesc desc{.name = "logits",
                    .x = {TensorDesc::dense(DType::kBf16, {4, 1, 1, 64})},
                    .y = TensorDesc::dense(DType::kF32, {4, 1, 1, 10}),
                    .wants_dx = {true}};
  EXPECT_EQ(error_message<UnsupportedError>([&] { backend->make_op(Linear{.out_features = 10}, desc); }), message);
}

TEST_F(CpuBackendTest, RefusesCudnnBatchNorm) {
  const OpDesc desc{.name = "bn",
                    .x = {TensorDesc::dense(DType::kF32, {4, 2, 2, 8})},
                    .y = TensorDesc::dense(DType::kF32, {4, 2, 2, 8}),
                    .wants_dx = {true}};
  const BatchNorm spec{.implementation = BatchNormImplementation::kCudnn};
  EXPECT_EQ(error_message<UnsupportedError>([&] { cpu_backend().make_op(spec, desc); }),
            "batch_norm.implementation cudnn needs a CUDA device; on the CPU it can be custom or onednn.");
}

// --- Threads

// The sums are divided into tasks by shape alone.
TEST(BatchNormThreads, GivesTheSameBitsOnAnyNumberOfThreads) {
  const OpCase op_case{.spec = BatchNorm{.activation = Activation::kRelu}, .x = {{3, 20, 20, 64}}};
  const OpData data = make_data(op_case);
  const OpResult two = run_op(cpu_backend(), op_case, data);
  for (const int threads : {1, 3}) {
    const std::unique_ptr<Backend> backend = make_cpu_backend({.threads = threads});
    const OpResult other = run_op(*backend, op_case, data);
    EXPECT_EQ(other.y, two.y) << threads;
    EXPECT_EQ(other.dx, two.dx) << threads;
    EXPECT_EQ(other.dw, two.dw) << threads;
  }
}

int64_t threads_of_this_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
}

void compute_by_onednn() {
  constexpr int64_t kSize = 512;
  const std::vector<float> a(kSize * kSize, 1.0F);
  std::vector<float> c(kSize * kSize);
  ASSERT_EQ(dnnl_sgemm('N', 'N', kSize, kSize, kSize, 1.0F, a.data(), kSize, a.data(), kSize, 0.0F, c.data(), kSize),
            dnnl_success);
  EXPECT_EQ(c.back(), kSize);
}

// oneDNN and our own kernels share one pool of threads, although the compiler chooses our OpenMP library and oneDNN's
// builder chose its own.
TEST(OpenMP, OneDnnStartsNoThreadsOfItsOwn) {
  constexpr int kManyThreads = 7;  // more than other tests of this program use
  const int before = omp_get_max_threads();
  omp_set_num_threads(kManyThreads);
  int started = 0;
#pragma omp parallel reduction(+ : started)
  started += 1;
  const int64_t with_ours = threads_of_this_process();
  compute_by_onednn();
  const int64_t with_onednns = threads_of_this_process();
  omp_set_num_threads(before);
  EXPECT_EQ(started, kManyThreads);
  EXPECT_GE(with_ours, kManyThreads);
  EXPECT_EQ(with_onednns, with_ours);
}

}  // namespace
}  // namespace bn::test
