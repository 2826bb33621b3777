// Philox4x32-10 (Salmon et al., SC 2011): a counter-based generator, so any draw can be made anywhere, in any order, by
// any number of threads, on CPU or GPU, and again after a resume.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace bn {

using PhiloxKey = std::array<uint32_t, 2>;
using PhiloxCounter = std::array<uint32_t, 4>;

namespace detail {
constexpr uint32_t multiply_high(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>((static_cast<uint64_t>(a) * b) >> 32);
}
}  // namespace detail

constexpr PhiloxCounter philox(PhiloxCounter x, PhiloxKey key) {
  constexpr uint32_t kMultiplier0 = 0xD2511F53U, kMultiplier1 = 0xCD9E8D57U;
  constexpr uint32_t kWeyl0 = 0x9E3779B9U, kWeyl1 = 0xBB67AE85U;
  for (int round = 0; round < 10; ++round) {
    x = {detail::multiply_high(kMultiplier1, x[2]) ^ x[1] ^ key[0], kMultiplier1 * x[2],
         detail::multiply_high(kMultiplier0, x[0]) ^ x[3] ^ key[1], kMultiplier0 * x[0]};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return x;
}

// Uniform in [0, 1), 24 bits.
constexpr float uniform_float(uint32_t bits) { return static_cast<float>(bits >> 8) * 0x1.0p-24F; }

// Stable 64-bit hash of an op's path name (FNV-1a): separates the streams of a network's ops.
constexpr uint64_t hash_name(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3ULL;
  return hash;
}

// A dropout mask's bits for four consecutive elements (element / 4) of one op at one step.
// Key = seed mixed with the op's name; counter = (element / 4, step).
struct MaskStream {
  uint64_t seed = 0;
  uint64_t op = 0;  // hash_name(path)

  constexpr PhiloxCounter operator()(uint64_t step, uint64_t element_div_4) const {
    const uint64_t key = seed ^ op;
    return philox({static_cast<uint32_t>(element_div_4), static_cast<uint32_t>(element_div_4 >> 32),
                   static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)},
                  {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)});
  }
};

// A sequence of draws for host code: initialisation, shuffling, augmentation. Two streams with different (seed,
// stream, substream) are independent.
class RandomStream {
 public:
  RandomStream(uint64_t seed, uint64_t stream, uint64_t substream = 0)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        stream_(stream ^ (substream * 0x9E3779B97F4A7C15ULL)) {}

  uint32_t next();
  double uniform();                         // [0, 1)
  double uniform(double low, double high);  // [low, high)
  int64_t uniform_index(int64_t count);     // 0 .. count-1, unbiased
  double normal();                          // mean 0, variance 1

 private:
  PhiloxKey key_;
  uint64_t stream_;
  uint64_t block_ = 0;
  PhiloxCounter buffer_{};
  int used_ = 4;
};

}  // namespace bn
