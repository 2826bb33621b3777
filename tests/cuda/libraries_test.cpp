#include "cuda/libraries.hpp"

#include <gtest/gtest.h>

#include "bn/error.hpp"
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

}  // namespace
}  // namespace bn::test
