#pragma once

#include <cstdint>

namespace bn::test {

// How often operator new ran in this thread so far.
int64_t allocations_of_this_thread();

}  // namespace bn::test
