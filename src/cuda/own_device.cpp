#include "cuda/own_device.hpp"

#include <cuda_runtime.h>
#include <fmt/format.h>

#include <algorithm>

namespace bn::cuda {

std::vector<std::string> visible_devices() {
  int count = 0;
  std::vector<std::string> devices;
  if (cudaGetDeviceCount(&count) != cudaSuccess) count = 0;
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) return {};
    const auto* bytes = reinterpret_cast<const uint8_t*>(properties.uuid.bytes);
    devices.push_back(fmt::format("{:02x}", fmt::join(bytes, bytes + sizeof(properties.uuid.bytes), "")));
  }
  return devices;
}

int64_t own_device(const CudaOptions& options, Group& group, const std::vector<std::string>& visible) {
  together(group, [&] {
    if (group.is_alone() || options.convolution_choice != ConvolutionChoice::kMeasured) return;
    throw UnsupportedError(
        "cuda.convolutions: measured lets each process choose other algorithms, so several processes need "
        "heuristic");
  });
  const Place& place = group.place();
  const std::vector<std::string> all = group.gather(fmt::format("{} {}", place.host, fmt::join(visible, " ")));
  const std::string& mine = all[static_cast<size_t>(place.rank)];
  const auto sharing = std::count(all.begin(), all.end(), mine);
  const auto before = std::count(all.begin(), all.begin() + place.rank, mine);
  const auto devices = std::max<int64_t>(0, static_cast<int64_t>(visible.size()) - options.device);
  together(group, [&] {
    if (visible.empty() || sharing <= devices) return;  // without any GPU the backend says why
    throw UnsupportedError(
        fmt::format("each process needs a GPU of its own, but {} processes on {} see {} from cuda.device {} on; start "
                    "as many processes there as it has GPUs",
                    sharing, place.host, devices, options.device));
  });
  return options.device + before;
}

}  // namespace bn::cuda
