#include "simt/simulator/device_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <new>

#include "simt/simulator/kernel.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

namespace bn::simt {
namespace {

constexpr std::byte kGuard{0xa7};
constexpr std::byte kGarbage{0x7f};  // fills memory before its first use and after its last
constexpr size_t kMostOfOneKept = size_t{1} << 20, kMostKept = size_t{32} << 20;

using Allocations = std::map<void*, std::unique_ptr<GuardedMemory>>;

// They are never destroyed: a static backend frees its memory late.
Allocations& on_device() {
  static auto& all = *new Allocations;
  return all;
}
Allocations& on_host() {
  static auto& all = *new Allocations;
  return all;
}

struct FreedMemory {
  std::deque<std::unique_ptr<GuardedMemory>> kept{};
  size_t bytes = 0;
};
FreedMemory& freed() {
  static auto& all = *new FreedMemory;
  return all;
}

size_t& bytes_on_device() {
  static size_t bytes = 0;
  return bytes;
}

void fill(const GuardedMemory& memory) { std::fill_n(memory.data(), memory.bytes(), kGarbage); }

void require_intact(const GuardedMemory& memory) {
  const std::byte *begin = memory.data(), *end = begin + memory.bytes();
  const std::byte* damage = std::find_if(begin, end, [](std::byte b) { return b != kGarbage; });
  if (damage == end) return;
  throw Fault(fmt::format("Byte {} of {} that had been freed was written.", damage - begin, memory.bytes()));
}

void keep([[maybe_unused]] std::unique_ptr<GuardedMemory> memory) {
#ifndef __SANITIZE_ADDRESS__
  if (memory->bytes() > kMostOfOneKept) return;
  fill(*memory);
  freed().bytes += memory->bytes();
  freed().kept.push_back(std::move(memory));
  while (freed().bytes > kMostKept) {
    freed().bytes -= freed().kept.front()->bytes();
    freed().kept.pop_front();
  }
#endif
}

void* allocate(Allocations& allocations, size_t bytes) {
  auto memory = std::make_unique<GuardedMemory>(bytes);
  fill(*memory);
  void* pointer = memory->data();
  allocations[pointer] = std::move(memory);
  return pointer;
}

}  // namespace

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

void* allocate_on_device(size_t bytes, size_t limit) {
  if (bytes > limit - bytes_on_device()) return nullptr;
  bytes_on_device() += bytes;
  return allocate(on_device(), bytes);
}

void* allocate_on_host(size_t bytes) { return allocate(on_host(), bytes); }

bool free_on_device(void* pointer) {
  const auto found = on_device().find(pointer);
  if (found == on_device().end()) return false;
  bytes_on_device() -= found->second->bytes();
  keep(std::move(found->second));
  on_device().erase(found);
  return true;
}

bool free_on_host(void* pointer) {
  const auto found = on_host().find(pointer);
  if (found == on_host().end()) return false;
  keep(std::move(found->second));
  on_host().erase(found);
  return true;
}

bool is_on_device(const void* data, size_t bytes) {
  const auto* begin = static_cast<const std::byte*>(data);
  auto next = on_device().upper_bound(const_cast<void*>(data));
  if (next == on_device().begin()) return false;
  const GuardedMemory& memory = *std::prev(next)->second;
  return begin + bytes <= memory.data() + memory.bytes();
}
size_t device_bytes_in_use() { return bytes_on_device(); }
size_t device_allocations() { return on_device().size(); }
size_t host_allocations() { return on_host().size(); }

void require_device_memory_intact(const char* kernel) {
  for (const auto& [pointer, memory] : on_device()) {
    if (const auto damage = memory->first_damage()) {
      throw Fault(fmt::format("Kernel {}: wrote to byte {} of an allocation that has {} bytes.", kernel, *damage,
                              memory->bytes()));
    }
  }
}

void require_freed_memory_intact() {
  for (const auto& memory : freed().kept) require_intact(*memory);
}

}  // namespace bn::simt
