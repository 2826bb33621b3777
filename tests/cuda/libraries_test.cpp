#include "cuda/libraries.hpp"

#include <gtest/gtest.h>

#include "bn/error.hpp"
#include "cuda/cuda_backend.hpp"
#include "cuda/library_ops.hpp"
#include "support/error_message.hpp"

namespace bn::test {
namespace {

TEST(Libraries, RefusesAnotherMajorVersionOfCudnn) {
  EXPECT_EQ(error_message<UnsupportedError>([] { cuda::require_cudnn_version(8907); }),
            "device: cuda needs cuDNN 9, but the loader found cuDNN 8.9.7 (LD_LIBRARY_PATH decides which it takes).");
  EXPECT_EQ(error_message<UnsupportedError>([] { cuda::require_cudnn_version(100102); }),
            "device: cuda needs cuDNN 9, but the loader found cuDNN 10.1.2 (LD_LIBRARY_PATH decides which it takes).");
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
