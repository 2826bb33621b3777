// Divides one borrowed buffer into aligned parts: the libraries want workspaces at multiples of 256 bytes, and what
// borrows us memory promises less.
#pragma once

#include <cstdint>

namespace bn::cuda {

class Regions {
 public:
  static constexpr int64_t kAlignment = 256;

  // The part's offset, for at().
  int64_t add(int64_t bytes) {
    const int64_t offset = end_;
    end_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    return offset;
  }
  // Of the whole buffer, wherever it starts; 0 if nothing is in it.
  int64_t bytes() const { return end_ == 0 ? 0 : end_ + kAlignment; }

 private:
  int64_t end_ = 0;
};

inline void* at(void* buffer, int64_t offset) {
  if (buffer == nullptr) return nullptr;
  const auto address = reinterpret_cast<uintptr_t>(buffer);
  const uintptr_t aligned = (address + Regions::kAlignment - 1) / Regions::kAlignment * Regions::kAlignment;
  return static_cast<uint8_t*>(buffer) + (aligned - address) + offset;
}

}  // namespace bn::cuda
