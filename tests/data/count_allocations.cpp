#include "data/count_allocations.hpp"

#include <cstdlib>
#include <new>

namespace {
thread_local int64_t allocations = 0;
}

// These stand in a file of their own, where the compiler cannot inline one half of a pair.
void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace bn::test {

int64_t allocations_of_this_thread() { return allocations; }

}  // namespace bn::test
