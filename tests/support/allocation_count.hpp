// Counts the calls of operator new while it lives, whichever thread they come from. One at a time.
#pragma once

#include <cstdint>

namespace bn::test {

class AllocationCount {
 public:
  AllocationCount();
  AllocationCount(const AllocationCount&) = delete;
  AllocationCount& operator=(const AllocationCount&) = delete;
  ~AllocationCount();

  // The calls of this program's own code, also through the C++ runtime. oneDNN's are left out: it calls operator new a
  // few times per execute, which is not ours to change.
  int64_t own() const;
};

}  // namespace bn::test
