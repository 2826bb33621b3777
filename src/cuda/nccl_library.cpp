#include <dlfcn.h>
#include <fmt/format.h>

#include "bn/error.hpp"
#include "cuda/nccl.hpp"

namespace bn::cuda {
namespace {

template <class Function>
void find(Function& function, void* library, const char* file, const char* name) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function != nullptr) return;
  throw UnsupportedError(fmt::format("several processes with a GPU each need NCCL, but {} has no {}", file, name));
}

}  // namespace

Nccl open_nccl(const char* file) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);  // never closed
  if (library == nullptr) {
    throw UnsupportedError(
        fmt::format("several processes with a GPU each need NVIDIA's NCCL, which the loader does not find: install "
                    "libnccl2 from NVIDIA's repository for CUDA, or PyPI's nvidia-nccl-cu{}, whose folder with {} then "
                    "belongs in LD_LIBRARY_PATH ({})",
                    CUDART_VERSION / 1000, file, dlerror()));
  }
  Nccl found{};
  find(found.get_version, library, file, "ncclGetVersion");
  find(found.get_unique_id, library, file, "ncclGetUniqueId");
  find(found.init_rank, library, file, "ncclCommInitRank");
  find(found.destroy, library, file, "ncclCommDestroy");
  find(found.group_start, library, file, "ncclGroupStart");
  find(found.group_end, library, file, "ncclGroupEnd");
  find(found.send, library, file, "ncclSend");
  find(found.receive, library, file, "ncclRecv");
  find(found.all_gather, library, file, "ncclAllGather");
  find(found.error_text, library, file, "ncclGetErrorString");
  find(found.last_error, library, file, "ncclGetLastError");
  return found;
}

const Nccl& nccl() {
  static const Nccl kLibrary = open_nccl("libnccl.so.2");
  return kLibrary;
}

}  // namespace bn::cuda
