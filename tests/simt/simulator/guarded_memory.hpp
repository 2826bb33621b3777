// Memory between two guards that nothing may touch: under the address sanitizer touching them ends the program, without
// it a write is found when the guards are looked at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bn::simt {

class GuardedMemory {
 public:
  explicit GuardedMemory(size_t bytes);  // 256-byte aligned, as a GPU's allocations are
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  // Where a guard was written, relative to data().
  std::optional<int64_t> first_damage() const;

 private:
  static constexpr size_t kGuardBytes = 256;

  size_t bytes_;
  std::byte* memory_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace bn::simt
