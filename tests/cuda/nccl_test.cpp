// NVIDIA's own NCCL, as far as it answers without a GPU. tests/simt has what needs several of them.
#include "cuda/nccl.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <utility>

#if __has_include(<nccl.h>)
#include <nccl.h>
#endif

#include "bn/error.hpp"
#include "cuda/exchange.hpp"
#include "support/error_message.hpp"
#include "support/thread_group.hpp"

namespace bn::test {
namespace {

#ifdef NCCL_VERSION_CODE
template <auto Theirs, class Ours>
constexpr bool kTakesAsMany = false;
template <class... Theirs, ncclResult_t (*Function)(Theirs...), class... Ours>
constexpr bool kTakesAsMany<Function, int (*)(Ours...)> =
    // NOLINTNEXTLINE(bugprone-sizeof-expression): arguments, of which some are pointers
    std::is_same_v<std::index_sequence<sizeof(Theirs)...>, std::index_sequence<sizeof(Ours)...>>;

// src/cuda/nccl.hpp declares the same as the header of this machine.
static_assert(static_cast<int>(cuda::NcclType::kInt64) == ncclInt64);
static_assert(static_cast<int>(cuda::NcclType::kFloat32) == ncclFloat32);
static_assert(static_cast<int>(cuda::NcclType::kFloat64) == ncclFloat64);
static_assert(sizeof(cuda::NcclType) == sizeof(ncclDataType_t) && sizeof(int) == sizeof(ncclResult_t));
static_assert(cuda::kNcclSuccess == ncclSuccess && cuda::kNcclSystemError == ncclSystemError);
static_assert(cuda::kNcclInvalidUsage == ncclInvalidUsage && cuda::kNcclRemoteError == ncclRemoteError);
static_assert(sizeof(cuda::NcclId) == sizeof(ncclUniqueId));
static_assert(kTakesAsMany<ncclGetVersion, decltype(cuda::Nccl::get_version)>);
static_assert(kTakesAsMany<ncclGetUniqueId, decltype(cuda::Nccl::get_unique_id)>);
static_assert(kTakesAsMany<ncclCommInitRank, decltype(cuda::Nccl::init_rank)>);
static_assert(kTakesAsMany<ncclCommDestroy, decltype(cuda::Nccl::destroy)>);
static_assert(kTakesAsMany<ncclGroupStart, decltype(cuda::Nccl::group_start)>);
static_assert(kTakesAsMany<ncclGroupEnd, decltype(cuda::Nccl::group_end)>);
static_assert(kTakesAsMany<ncclSend, decltype(cuda::Nccl::send)>);
static_assert(kTakesAsMany<ncclRecv, decltype(cuda::Nccl::receive)>);
static_assert(kTakesAsMany<ncclAllGather, decltype(cuda::Nccl::all_gather)>);
#endif

TEST(NcclLibrary, ThatIsMissingSaysWhatToInstall) {
  const std::string message = error_message<UnsupportedError>([] { cuda::open_nccl("libnccl_that_is_not.so.2"); });
  EXPECT_EQ(
      message.find("several processes with a GPU each need NVIDIA's NCCL, which the loader does not find: install "
                   "libnccl2 from NVIDIA's repository for CUDA, or PyPI's nvidia-nccl-cu"),
      0U)
      << message;
  EXPECT_NE(message.find("(libnccl_that_is_not.so.2: cannot open shared object file"), std::string::npos) << message;
}

TEST(NcclLibrary, OfAnotherKindIsRefused) {
  EXPECT_EQ(error_message<UnsupportedError>([] { cuda::open_nccl("libm.so.6"); }),
            "several processes with a GPU each need NCCL, but libm.so.6 has no ncclGetVersion");
}

// Where there is no GPU for each thread, NCCL gives its id and its version, and then says that it cannot connect.
TEST(NcclLibrary, SaysThatItCannotConnect) {
  try {
    cuda::nccl();
  } catch (const UnsupportedError& error) {
    GTEST_SKIP() << error.what();
  }
  ThreadGroup(2).run([](Group& group) {
    const cuda::Context context;
    cuda::Repetition repetition = cuda::Repetition::kGraph;
    const std::string message = error_message<Error>([&] { cuda::make_exchange(context, group, repetition); });
    EXPECT_EQ(message.find("NCCL cannot connect the GPUs of the 2 processes: "), 0U) << message;
    EXPECT_NE(message.find("; with NCCL_DEBUG=WARN in the environment it says more"), std::string::npos) << message;
  });
}

}  // namespace
}  // namespace bn::test
