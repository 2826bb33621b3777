// oneDNN and our own kernels share one pool of threads, although the compiler chooses our OpenMP library and oneDNN's
// builder chose its own.
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <dnnl.hpp>
#include <filesystem>
#include <iterator>
#include <vector>

namespace bn::cpu {
namespace {

constexpr int kThreads = 7;  // more than other tests of this program use

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

TEST(OpenMP, OneDnnStartsNoThreadsOfItsOwn) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(kThreads);
  int started = 0;
#pragma omp parallel reduction(+ : started)
  started += 1;
  const int64_t with_ours = threads_of_this_process();
  compute_by_onednn();
  const int64_t with_onednns = threads_of_this_process();
  omp_set_num_threads(before);
  EXPECT_EQ(started, kThreads);
  EXPECT_GE(with_ours, kThreads);
  EXPECT_EQ(with_onednns, with_ours);
}

}  // namespace
}  // namespace bn::cpu
