// Replaces operator new of the whole program, its shared libraries included. It has a file of its own: inlined into a
// caller, GCC would take the free() in operator delete for a mismatch.
#include "support/allocation_count.hpp"

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

// True if oneDNN is anywhere below in the stack: it never calls back into this program's own code. The nearest caller
// tells nothing: the dynamic linker may pick this program's copies of the C++ runtime's templates, for oneDNN too.
bool is_of_onednn() {
  void* frames[64];
  const int count = backtrace(frames, 64);
  return std::any_of(frames, frames + count, [](void* frame) {
    Dl_info object;
    return dladdr(frame, &object) != 0 && std::strstr(object.dli_fname, "libdnnl") != nullptr;
  });
}

void* allocate(size_t bytes, size_t alignment) {
  thread_local bool is_inside = false;  // backtrace() may allocate
  if (is_counting && !is_inside) {
    is_inside = true;
    if (!is_of_onednn()) ++own_allocations;
    is_inside = false;
  }
  const size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
void* operator new(size_t bytes, std::align_val_t alignment) { return allocate(bytes, static_cast<size_t>(alignment)); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return allocate(bytes, alignof(std::max_align_t)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
// The forms for arrays are replaced, too: a sanitizer's would not come here.
void* operator new[](size_t bytes) { return allocate(bytes, alignof(std::max_align_t)); }
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
