// Rounding up of sizes.
#pragma once

#include <cstdint>

namespace bn {

// The smallest multiple of `multiple` that is not below the value; both are positive, or the value is 0.
constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace bn
