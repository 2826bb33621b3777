// Counts calls of operator new made by this project's code. A library's own (oneDNN makes a few in each call) do not
// count. A program that uses this has its operator new replaced.
#pragma once

#include <cstdint>
#include <functional>

namespace bn::test {

// While `run` runs, on all threads.
int64_t allocations_during(const std::function<void()>& run);

}  // namespace bn::test
