// Host to device without waiting: page-locked memory and events. A slot is written again only after the copy out of it
// has ended, which is long past unless the host runs several steps ahead; that wait is what paces it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "cuda/context.hpp"
#include "cuda/memory.hpp"

namespace bn::cuda {

// Uploads labels and scalars of a step, on the compute stream.
class SmallUploads {
 public:
  static constexpr int64_t kSlotBytes = 16 * 1024;

  explicit SmallUploads(const Context& context) : context_(context) {}
  void upload(void* device, const void* host, int64_t bytes);  // at most kSlotBytes

 private:
  static constexpr int kSlots = 16;
  const Context& context_;
  PinnedMemory pinned_{kSlots * kSlotBytes};
  std::array<Event, kSlots> copied_{};
  int next_ = 0;
};

// Memory that Backend::allocate_host gave: the images in it are copied from where they are.
class PinnedBuffers {
 public:
  explicit PinnedBuffers(const Context& context) : context_(context) {}
  std::unique_ptr<Buffer> allocate(int64_t bytes);
  bool holds(const void* data, int64_t bytes) const;

 private:
  class Listed;
  const Context& context_;
  std::map<const uint8_t*, int64_t> sizes_{};  // from a live buffer's first byte to its size
};

// Uploads images of a batch, on the copy stream, two in flight.
class ImageUploads {
 public:
  ImageUploads(const Context& context, const PinnedBuffers& pinned_buffers)
      : context_(context), pinned_buffers_(pinned_buffers) {}

  // Returns where the bytes will be; the compute stream waits for them.
  const void* upload(const void* host, int64_t bytes);
  // Call it once the work that reads the uploaded bytes is on the compute stream.
  void release();
  // Waits until the host's memory has been read.
  void finish();

 private:
  struct Slot {
    std::unique_ptr<PinnedMemory> pinned{};  // takes images that are not in PinnedBuffers
    std::unique_ptr<DeviceMemory> device{};
    Event copied{}, read{};
  };
  void resize(int64_t bytes);
  const void* pinned_copy(Slot& slot, const void* host, int64_t bytes) const;

  const Context& context_;
  const PinnedBuffers& pinned_buffers_;
  std::array<Slot, 2> slots_{};
  int64_t bytes_ = 0;  // size of each slot
  size_t current_ = 0;
};

}  // namespace bn::cuda
