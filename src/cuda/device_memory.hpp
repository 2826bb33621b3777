// Memory of the device, freed on destruction.
#pragma once

#include <cstdint>

namespace bn::cuda {

class DeviceMemory {
 public:
  explicit DeviceMemory(int64_t bytes);  // throws OutOfMemoryError
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
};

}  // namespace bn::cuda
