#include "simt/simulator/guarded_memory.hpp"

#include <algorithm>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace bn::simt {
namespace {
constexpr std::byte kGuard{0xa7};
}

GuardedMemory::GuardedMemory(size_t bytes) : bytes_(bytes) {
  memory_ = static_cast<std::byte*>(::operator new (bytes + 2 * kGuardBytes, std::align_val_t{kGuardBytes}));
  data_ = memory_ + kGuardBytes;
  std::fill_n(memory_, kGuardBytes, kGuard);
  std::fill_n(data_ + bytes, kGuardBytes, kGuard);
#ifdef __SANITIZE_ADDRESS__
  __asan_poison_memory_region(memory_, kGuardBytes);
  __asan_poison_memory_region(data_ + bytes, kGuardBytes);
#endif
}

GuardedMemory::~GuardedMemory() {
#ifdef __SANITIZE_ADDRESS__
  __asan_unpoison_memory_region(memory_, bytes_ + 2 * kGuardBytes);
#endif
  ::operator delete (memory_, std::align_val_t{kGuardBytes});
}

std::optional<int64_t> GuardedMemory::first_damage() const {
#ifndef __SANITIZE_ADDRESS__
  for (const std::byte* guard : {memory_, data_ + bytes_}) {
    const std::byte* damage = std::find_if(guard, guard + kGuardBytes, [](std::byte b) { return b != kGuard; });
    if (damage != guard + kGuardBytes) return damage - data_;
  }
#endif
  return {};
}

}  // namespace bn::simt
