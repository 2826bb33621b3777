// Memory that is freed on destruction: the device's, and the host's that a GPU can read by itself.
#pragma once

#include <cstdint>

#include "bn/backend.hpp"
#include "cuda/context.hpp"

namespace bn::cuda {

// On the compute stream; a part of steps.
void copy_on_device(const Context& context, void* to, const void* from, int64_t bytes);

class Memory : public Buffer {
 public:
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* data() const override { return data_; }
  int64_t bytes() const override { return bytes_; }

 protected:
  explicit Memory(int64_t bytes) : bytes_(bytes) {}
  void* data_ = nullptr;  // stays null for 0 bytes

 private:
  int64_t bytes_;
};

class DeviceMemory final : public Memory {
 public:
  explicit DeviceMemory(int64_t bytes);  // not initialised; throws OutOfMemoryError
  ~DeviceMemory() override;
};

// Page-locked memory of the host.
class PinnedMemory : public Memory {
 public:
  explicit PinnedMemory(int64_t bytes);  // not initialised; throws OutOfMemoryError
  ~PinnedMemory() override;
};

}  // namespace bn::cuda
