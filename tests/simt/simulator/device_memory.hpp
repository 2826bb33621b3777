// The memory that the program asked the CUDA runtime for: the device's, and the host's that is page-locked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace bn::simt {

// Memory between two guards that nothing may touch: under the address sanitizer touching them ends the program, without
// it a write is found when the guards are looked at.
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

// Null where `limit` bytes would be exceeded.
void* allocate_on_device(size_t bytes, size_t limit);
void* allocate_on_host(size_t bytes);
// False for memory that is not held. What was freed is filled with a pattern and kept for a while: what reads it then
// computes with garbage, and what writes it is found. (The address sanitizer does so itself.)
bool free_on_device(void* pointer);
bool free_on_host(void* pointer);

bool is_on_device(const void* data, size_t bytes);  // all of these bytes, in one piece of memory
size_t device_bytes_in_use();
size_t device_allocations();
size_t host_allocations();

// Throws Fault if something was written beside an allocation on the device.
void require_device_memory_intact(const char* kernel);
// Throws Fault if something was written into memory that had been freed.
void require_freed_memory_intact();

}  // namespace bn::simt
