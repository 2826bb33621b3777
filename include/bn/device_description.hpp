// A GPU that is described instead of present, so that a program can plan for it anywhere.
#pragma once

#include <cstdint>
#include <string>

namespace bn {

struct DeviceDescription {
  std::string name{};
  int64_t compute_capability = 0;  // 90 for 9.0
  int64_t multiprocessors = 0;
  int64_t memory_bytes = 0;
  std::string json{};  // all that cuDNN asks of a device, one JSON object
};

// Reads a file like experiments/benchmarks/gpu_model/devices/h100.json. Throws DataError.
DeviceDescription read_device_description(const std::string& path);

}  // namespace bn
