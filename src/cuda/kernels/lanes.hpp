// How wide a kernel's memory accesses are.
#pragma once

#include <cstdint>

namespace bn::cuda {

enum class Lanes { kOne, kWide };  // elements of one access: one, or as many as fill 16 bytes

inline bool is_aligned(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer) % 16 == 0; }

}  // namespace bn::cuda
