// Memory of the device, memory of the host that a GPU can read by itself, and events are freed with their owners.
#pragma once

#include <cstdint>

#include "bn/backend.hpp"
#include "cuda/context.hpp"
#include "cuda/error.hpp"

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

// The place in a stream's work where it was recorded last; never recorded, it has passed.
class Event {
 public:
  Event() : Event(cudaEventDisableTiming) {}
  explicit Event(unsigned flags) { BN_CUDA(cudaEventCreateWithFlags(&event_, flags)); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t stream) const { BN_CUDA(cudaEventRecord(event_, stream)); }
  void wait() const { BN_CUDA(cudaEventSynchronize(event_)); }
  void delay(cudaStream_t stream) const { BN_CUDA(cudaStreamWaitEvent(stream, event_, 0)); }
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

}  // namespace bn::cuda
