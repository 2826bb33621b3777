// Host to device without waiting: pinned memory and events. A slot is written again only after the copy out of it has
// ended, which is long past unless the host runs several steps ahead; that wait is what paces it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "cuda/context.hpp"
#include "cuda/device_memory.hpp"

namespace bn::cuda {

// Uploads labels and scalars of a step, on the compute stream.
class SmallUploads {
 public:
  static constexpr int64_t kSlotBytes = 16 * 1024;

  explicit SmallUploads(const Context& context);
  ~SmallUploads();
  SmallUploads(const SmallUploads&) = delete;
  SmallUploads& operator=(const SmallUploads&) = delete;

  void upload(void* device, const void* host, int64_t bytes);  // at most kSlotBytes

 private:
  static constexpr int kSlots = 16;
  const Context& context_;
  uint8_t* pinned_ = nullptr;
  std::array<cudaEvent_t, kSlots> copied_{};
  int next_ = 0;
};

// Uploads images of a batch, on the copy stream, two in flight.
class ImageUploads {
 public:
  explicit ImageUploads(const Context& context);
  ~ImageUploads();
  ImageUploads(const ImageUploads&) = delete;
  ImageUploads& operator=(const ImageUploads&) = delete;

  // Returns where the bytes will be; the compute stream waits for them.
  const void* upload(const void* host, int64_t bytes);
  // Call it once the work that reads the uploaded bytes is on the compute stream.
  void release();

 private:
  struct Slot {
    void* pinned = nullptr;
    std::unique_ptr<DeviceMemory> device{};
    cudaEvent_t copied = nullptr, read = nullptr;
  };
  void resize(int64_t bytes);

  const Context& context_;
  std::array<Slot, 2> slots_{};
  int64_t bytes_ = 0;  // size of each slot
  int current_ = 0;
};

}  // namespace bn::cuda
