// Rounding up of sizes; divides one borrowed buffer into parts. Each starts at a multiple of 256 bytes, as the
// libraries of a GPU want their workspaces; the allocator itself promises less.
#pragma once

#include <cstdint>

namespace bn {

// The smallest multiple of `multiple` that is not below the value; both are positive, or the value is 0.
constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

class Regions {
 public:
  static constexpr int64_t kAlignment = 256;

  // The part's offset, for at().
  int64_t add(int64_t bytes) {
    const int64_t offset = end_;
    end_ += round_up(bytes, kAlignment);
    return offset;
  }
  // How large the whole buffer must be, wherever it starts; 0 if nothing is in it.
  int64_t bytes() const { return end_ == 0 ? 0 : end_ + kAlignment; }

 private:
  int64_t end_ = 0;
};

// The part of the buffer; null for a null buffer.
inline void* at(void* buffer, int64_t offset) {
  if (buffer == nullptr) return nullptr;
  const auto address = static_cast<int64_t>(reinterpret_cast<uintptr_t>(buffer));
  return static_cast<uint8_t*>(buffer) + (round_up(address, Regions::kAlignment) - address) + offset;
}

}  // namespace bn
