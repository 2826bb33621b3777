#include "cuda/transfer.hpp"

#include <cstring>

#include "cuda/error.hpp"

namespace bn::cuda {

void SmallUploads::upload(void* device, const void* host, int64_t bytes) {
  const auto slot = static_cast<size_t>(next_);
  next_ = (next_ + 1) % kSlots;
  uint8_t* pinned = static_cast<uint8_t*>(pinned_.data()) + slot * kSlotBytes;
  copied_[slot].wait();
  std::memcpy(pinned, host, static_cast<size_t>(bytes));
  BN_CUDA(cudaMemcpyAsync(device, pinned, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, context_.compute));
  copied_[slot].record(context_.compute);
}

class PinnedBuffers::Listed final : public PinnedMemory {
 public:
  Listed(PinnedBuffers& owner, int64_t bytes) : PinnedMemory(bytes), owner_(owner) { owner_.sizes_[begin()] = bytes; }
  ~Listed() override {
    cudaStreamSynchronize(owner_.context_.copy);  // a copy may still read it
    owner_.sizes_.erase(begin());
  }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  const uint8_t* begin() const { return static_cast<const uint8_t*>(data()); }
  PinnedBuffers& owner_;
};

std::unique_ptr<Buffer> PinnedBuffers::allocate(int64_t bytes) { return std::make_unique<Listed>(*this, bytes); }

bool PinnedBuffers::holds(const void* data, int64_t bytes) const {
  const auto* begin = static_cast<const uint8_t*>(data);
  auto next = sizes_.upper_bound(begin);
  if (next == sizes_.begin()) return false;
  const auto& [first, size] = *--next;
  return begin + bytes <= first + size;
}

// Allocates only at the first batch, and when a larger one comes: then for both slots.
void ImageUploads::resize(int64_t bytes) {
  if (bytes_ >= bytes) return;
  bytes_ = 0;
  for (Slot& slot : slots_) {
    slot.copied.wait();
    slot.read.wait();
    slot.pinned.reset();
    slot.device.reset();
  }
  for (Slot& slot : slots_) slot.device = std::make_unique<DeviceMemory>(bytes);
  bytes_ = bytes;
}

const void* ImageUploads::pinned_copy(Slot& slot, const void* host, int64_t bytes) const {
  if (!slot.pinned) slot.pinned = std::make_unique<PinnedMemory>(bytes_);
  slot.copied.wait();
  std::memcpy(slot.pinned->data(), host, static_cast<size_t>(bytes));
  return slot.pinned->data();
}

const void* ImageUploads::upload(const void* host, int64_t bytes) {
  resize(bytes);
  Slot& slot = slots_[current_];
  const void* from = pinned_buffers_.holds(host, bytes) ? host : pinned_copy(slot, host, bytes);
  slot.read.delay(context_.copy);
  void* device = slot.device->data();
  BN_CUDA(cudaMemcpyAsync(device, from, static_cast<size_t>(bytes), cudaMemcpyHostToDevice, context_.copy));
  slot.copied.record(context_.copy);
  slot.copied.delay(context_.compute);
  return device;
}

void ImageUploads::release() {
  slots_[current_].read.record(context_.compute);
  current_ = 1 - current_;
}

void ImageUploads::finish() { slots_[1 - current_].copied.wait(); }

}  // namespace bn::cuda
