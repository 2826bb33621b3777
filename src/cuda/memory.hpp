// Memory that is freed on destruction: the device's, and the host's that a GPU can read by itself.
#pragma once

#include <cstdint>

#include "cuda/context.hpp"

namespace bn::cuda {

// On the compute stream; a part of steps.
void copy_on_device(const Context& context, void* to, const void* from, int64_t bytes);

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

// Page-locked memory of the host.
class PinnedMemory {
 public:
  explicit PinnedMemory(int64_t bytes);  // throws OutOfMemoryError
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;

  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
};

}  // namespace bn::cuda
