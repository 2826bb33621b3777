// The CUDA backend is a module beside the program, loaded when it is asked for: a machine without CUDA's libraries runs
// the same program on its CPU, and a run on the CPU does not wait for gigabytes of them to load.
#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

#include "bn/backend.hpp"
#include "bn/cuda_backend.hpp"
#include "bn/error.hpp"
#include "system/installation.hpp"

#if BN_HAS_CUDA
#include <cudnn_version.h>
#endif

namespace bn {
namespace {

constexpr bool kBuiltWithCuda = BN_HAS_CUDA != 0;
constexpr const char* kModule = "bn_cuda.so";

using MakeBackend = Backend* (*)(const CudaOptions&);
using OwnDevice = int64_t (*)(const CudaOptions&, Group&);
using MakePlanningBackend = PlanningBackend* (*)(const CudaOptions&, const DeviceDescription&);

void require_build_with_cuda() {
  if (kBuiltWithCuda) return;
  throw UnsupportedError("device: cuda was asked for, but this program was built without CUDA; use device: cpu");
}

void* load_module() {
  const std::filesystem::path path = module_file(kModule);
  void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (module == nullptr) {
    throw UnsupportedError(fmt::format(
        "device: cuda was asked for, but its module does not load; it needs cuDNN 9 and the cuBLAS that it was "
        "built with where the loader finds them (LD_LIBRARY_PATH): {}",
        dlerror()));
  }
  return module;
}

template <class Function>
Function find(const char* name) {
  require_build_with_cuda();
  static void* const kLoaded = load_module();  // never unloaded: ops hold its code
  void* function = dlsym(kLoaded, name);
  if (function == nullptr) {
    throw UnsupportedError(
        fmt::format("device: cuda was asked for, but {} is not this program's: {}", kModule, dlerror()));
  }
  return reinterpret_cast<Function>(function);
}

}  // namespace

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options) {
  return std::unique_ptr<Backend>(find<MakeBackend>("bn_make_cuda_backend")(options));
}

std::unique_ptr<Backend> make_cuda_backend(const CudaOptions& options, Group& group) {
  if (group.is_alone()) return make_cuda_backend(options);
  OwnDevice own_device = nullptr;
  together(group, [&] { own_device = find<OwnDevice>("bn_own_cuda_device"); });
  CudaOptions own = options;
  own.device = own_device(options, group);
  std::unique_ptr<Backend> backend;
  together(group, [&] { backend = make_cuda_backend(own); });
  return backend;
}

std::unique_ptr<PlanningBackend> make_planning_cuda_backend(const CudaOptions& options,
                                                            const DeviceDescription& device) {
  return std::unique_ptr<PlanningBackend>(find<MakePlanningBackend>("bn_make_planning_cuda_backend")(options, device));
}

std::string cuda_library() {
#if BN_HAS_CUDA
  return fmt::format("cuDNN {}.{}.{}", CUDNN_MAJOR, CUDNN_MINOR, CUDNN_PATCHLEVEL);
#else
  return "";
#endif
}

}  // namespace bn
