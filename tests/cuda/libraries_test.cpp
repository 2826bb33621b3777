#include "cuda/libraries.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cuda/cuda_backend.hpp"
#include "cuda/library_ops.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

TEST(Libraries, RefusesACudnnThatIsTooOldOrOfAnotherMajorVersion) {
  const auto refusal = [](size_t version) {
    return error_message<UnsupportedError>([version] { cuda::require_cudnn_version(version); });
  };
  const std::string_view found = "device: cuda needs cuDNN 9.8 or a later 9, but the loader found cuDNN ";
  const std::string_view advice = " (LD_LIBRARY_PATH decides which it takes).";
  EXPECT_EQ(refusal(8907), fmt::format("{}8.9.7{}", found, advice));
  EXPECT_EQ(refusal(90701), fmt::format("{}9.7.1{}", found, advice));
  EXPECT_EQ(refusal(100102), fmt::format("{}10.1.2{}", found, advice));
  EXPECT_NO_THROW(cuda::require_cudnn_version(90800));
  EXPECT_NO_THROW(cuda::require_cudnn_version(91900));
}

TEST(Libraries, SaysWhenCudnnDoesNotStart) {
  if (gpu_under_test().backend) GTEST_SKIP() << "it does here";
  const std::string message = error_message<UnsupportedError>([] {
    cuda::Context context;
    cuda::open_libraries(context);
  });
  EXPECT_EQ(message.find("device: cuda was asked for, but cuDNN 9."), 0U) << message;
  EXPECT_NE(message.find("does not start on this machine (CUDNN_STATUS_"), std::string::npos) << message;
}

}  // namespace
}  // namespace bn::test
