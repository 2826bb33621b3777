#include "cuda/nccl.hpp"

#include <fmt/format.h>

#include "bn/error.hpp"

namespace bn::cuda {
namespace {

std::string version_text(int version) {
  return fmt::format("{}.{}.{}", version / 10000, version % 10000 / 100, version % 100);
}

}  // namespace

std::string require_nccl_version(const Nccl& library) {
  int version = 0;
  check_nccl(library, library.get_version(&version), "tell its version", nullptr);
  if (version >= kOldestNccl) return version_text(version);
  throw UnsupportedError(
      fmt::format("several processes with a GPU each need NCCL {} or newer, but the loader found {} (LD_LIBRARY_PATH "
                  "decides which it takes)",
                  version_text(kOldestNccl), version < 10000 ? fmt::format("{}", version) : version_text(version)));
}

void check_nccl(const Nccl& library, int result, const char* what, NcclCommunicator communicator) {
  if (result == kNcclSuccess) return;
  const char* detail = library.last_error(communicator);
  std::string message = fmt::format("NCCL cannot {}: {}", what, library.error_text(result));
  if (detail != nullptr && *detail != '\0') message += fmt::format(" ({})", detail);
  if (result == kNcclRemoteError) {
    throw Error(ExitCode::kPeerLost,
                message + "; another process of this run ended or cannot be reached; continue with --resume");
  }
  throw Error(ExitCode::kFailure, message + "; with NCCL_DEBUG=WARN in the environment it says more");
}

}  // namespace bn::cuda
