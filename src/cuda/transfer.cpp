#include "cuda/transfer.hpp"

#include <cstring>

#include "cuda/error.hpp"

namespace bn::cuda {

SmallUploads::SmallUploads(const Context& context) : context_(context) {
  BN_CUDA(cudaMallocHost(reinterpret_cast<void**>(&pinned_), kSlots * kSlotBytes));
  for (cudaEvent_t& event : copied_) BN_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
}

SmallUploads::~SmallUploads() {
  for (cudaEvent_t event : copied_) cudaEventDestroy(event);
  cudaFreeHost(pinned_);
}

void SmallUploads::upload(void* device, const void* host, int64_t bytes) {
  const auto slot = static_cast<size_t>(next_);
  next_ = (next_ + 1) % kSlots;
  uint8_t* pinned = pinned_ + slot * kSlotBytes;
  BN_CUDA(cudaEventSynchronize(copied_[slot]));
  std::memcpy(pinned, host, static_cast<size_t>(bytes));
  BN_CUDA(cudaMemcpyAsync(device, pinned, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, context_.compute));
  BN_CUDA(cudaEventRecord(copied_[slot], context_.compute));
}

ImageUploads::ImageUploads(const Context& context) : context_(context) {
  for (Slot& slot : slots_) {
    BN_CUDA(cudaEventCreateWithFlags(&slot.copied, cudaEventDisableTiming));
    BN_CUDA(cudaEventCreateWithFlags(&slot.read, cudaEventDisableTiming));
  }
}

ImageUploads::~ImageUploads() {
  for (Slot& slot : slots_) {
    cudaEventDestroy(slot.copied);
    cudaEventDestroy(slot.read);
    cudaFreeHost(slot.pinned);
  }
}

// Allocates only at the first batch, and when a larger one comes: then for both slots.
void ImageUploads::resize(int64_t bytes) {
  if (bytes_ >= bytes) return;
  bytes_ = 0;
  for (Slot& slot : slots_) {
    BN_CUDA(cudaEventSynchronize(slot.copied));
    BN_CUDA(cudaEventSynchronize(slot.read));
    BN_CUDA(cudaFreeHost(slot.pinned));
    slot.pinned = nullptr;
    slot.device.reset();
  }
  for (Slot& slot : slots_) {
    slot.device = std::make_unique<DeviceMemory>(bytes);
    BN_CUDA(cudaMallocHost(&slot.pinned, static_cast<size_t>(bytes)));
  }
  bytes_ = bytes;
}

const void* ImageUploads::upload(const void* host, int64_t bytes) {
  Slot& slot = slots_[static_cast<size_t>(current_)];
  resize(bytes);
  BN_CUDA(cudaEventSynchronize(slot.copied));
  std::memcpy(slot.pinned, host, static_cast<size_t>(bytes));
  BN_CUDA(cudaStreamWaitEvent(context_.copy, slot.read, 0));
  void* device = slot.device->data();
  BN_CUDA(cudaMemcpyAsync(device, slot.pinned, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, context_.copy));
  BN_CUDA(cudaEventRecord(slot.copied, context_.copy));
  BN_CUDA(cudaStreamWaitEvent(context_.compute, slot.copied, 0));
  return device;
}

void ImageUploads::release() {
  BN_CUDA(cudaEventRecord(slots_[static_cast<size_t>(current_)].read, context_.compute));
  current_ = 1 - current_;
}

}  // namespace bn::cuda
