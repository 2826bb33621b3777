#include "packing/md5.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace bn {
namespace {

// floor(2^32 |sin(i + 1)|)
constexpr std::array<uint32_t, 64> kSines{
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};
constexpr std::array<std::array<int, 4>, 4> kShifts{
    {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}};

}  // namespace

void Md5::add_block(const uint8_t* block) {
  std::array<uint32_t, 16> words{};
  std::memcpy(words.data(), block, sizeof(words));  // little-endian, as this project's machines are
  auto [a, b, c, d] = state_;
  for (uint32_t i = 0; i < 64; ++i) {
    const uint32_t round = i / 16;
    uint32_t mixed = 0, word = i;
    if (round == 0) mixed = (b & c) | (~b & d);
    if (round == 1) mixed = (d & b) | (~d & c), word = (5 * i + 1) % 16;
    if (round == 2) mixed = b ^ c ^ d, word = (3 * i + 5) % 16;
    if (round == 3) mixed = c ^ (b | ~d), word = 7 * i % 16;
    const uint32_t sum = a + mixed + kSines[i] + words[word];
    a = d, d = c, c = b;
    b += std::rotl(sum, kShifts[round][i % 4]);
  }
  state_ = {state_[0] + a, state_[1] + b, state_[2] + c, state_[3] + d};
}

void Md5::add(const uint8_t* bytes, int64_t size) {
  constexpr int64_t kBlock = 64;
  while (size > 0) {
    const auto used = static_cast<int64_t>(size_ % kBlock);
    if (used == 0 && size >= kBlock) {
      add_block(bytes);
      bytes += kBlock, size -= kBlock, size_ += kBlock;
      continue;
    }
    const int64_t count = std::min(size, kBlock - used);
    std::copy_n(bytes, count, pending_.begin() + used);
    bytes += count, size -= count, size_ += static_cast<uint64_t>(count);
    if (size_ % kBlock == 0) add_block(pending_.data());
  }
}

std::string Md5::hex() {
  const uint64_t bits = 8 * size_;
  const uint8_t end = 0x80, zero = 0;
  add(&end, 1);
  while (size_ % 64 != 56) add(&zero, 1);
  std::array<uint8_t, 8> length{};
  std::memcpy(length.data(), &bits, sizeof(bits));
  add(length.data(), 8);
  std::string text;
  for (const uint32_t word : state_) {
    for (int shift = 0; shift < 32; shift += 8) text += fmt::format("{:02x}", word >> shift & 0xFF);
  }
  return text;
}

}  // namespace bn
