#include "bn/rng.hpp"

#include <cmath>
#include <numbers>

namespace bn {

uint32_t RandomStream::next() {
  if (used_ == 4) {
    buffer_ = philox({static_cast<uint32_t>(block_), static_cast<uint32_t>(block_ >> 32),
                      static_cast<uint32_t>(stream_), static_cast<uint32_t>(stream_ >> 32)},
                     key_);
    ++block_;
    used_ = 0;
  }
  return buffer_[static_cast<size_t>(used_++)];
}

double RandomStream::uniform() {
  const uint64_t high = next() >> 5, low = next() >> 6;  // 27 + 26 bits
  return static_cast<double>((high << 26) | low) * 0x1.0p-53;
}

double RandomStream::uniform(double low, double high) { return low + (high - low) * uniform(); }

// Rejects the incomplete last interval, so that every index is equally likely.
int64_t RandomStream::uniform_index(int64_t count) {
  const auto range = static_cast<uint64_t>(count);
  const uint64_t limit = UINT64_MAX - UINT64_MAX % range;
  while (true) {
    const uint64_t high = next();
    const uint64_t draw = (high << 32) | next();
    if (draw < limit) return static_cast<int64_t>(draw % range);
  }
}

// Box-Muller; the second variate is dropped so that a draw never depends on the one before.
double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace bn
