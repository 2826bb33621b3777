// Replaces operator new of the whole program, its shared libraries included. In a file of its own: inlined into a
// caller, GCC takes the free() in operator delete for a mismatch.
#include "whole_net/allocation_count.hpp"

#include <dlfcn.h>
#include <execinfo.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

std::atomic<bool> is_counting{false};
std::atomic<int64_t> own_allocations{0};

// Whose call it is: of the first frame, from operator new's caller outwards, that lies in this program or in oneDNN.
// The frames between are the C++ and OpenMP runtimes'.
[[gnu::noinline]] bool is_of_onednn(const void* caller) {
  void* frames[32];
  const int count = backtrace(frames, 32);
  Dl_info self;
  dladdr(reinterpret_cast<void*>(&is_of_onednn), &self);
  bool is_above_new = false;
  for (int i = 0; i < count; ++i) {
    is_above_new = is_above_new || frames[i] == caller;
    Dl_info object;
    if (!is_above_new || dladdr(frames[i], &object) == 0) continue;
    if (object.dli_fbase == self.dli_fbase) return false;
    if (std::strstr(object.dli_fname, "libdnnl") != nullptr) return true;
  }
  return false;  // unknown: better one too many
}

void* allocate(size_t bytes, size_t alignment, const void* caller) {
  thread_local bool is_inside = false;  // backtrace() may allocate
  if (is_counting && !is_inside) {
    is_inside = true;
    if (!is_of_onednn(caller)) ++own_allocations;
    is_inside = false;
  }
  const size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes, alignof(std::max_align_t), __builtin_return_address(0)); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<size_t>(alignment), __builtin_return_address(0));
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return allocate(bytes, alignof(std::max_align_t), __builtin_return_address(0));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
// The forms for arrays, too: a sanitizer's would not come here.
void* operator new[](size_t bytes) { return allocate(bytes, alignof(std::max_align_t), __builtin_return_address(0)); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace bn::test {

AllocationCount::AllocationCount() {
  own_allocations = 0;
  is_counting = true;
}

AllocationCount::~AllocationCount() { is_counting = false; }

int64_t AllocationCount::own() const { return own_allocations; }

}  // namespace bn::test
