// Memory of the host that a GPU can read by itself (page-locked), freed on destruction.
#pragma once

#include <cstdint>

namespace bn::cuda {

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
