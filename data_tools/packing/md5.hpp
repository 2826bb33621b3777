// MD5 (RFC 1321), used only to compare an archive with the sum its publisher names.
#pragma once

#include <array>
#include <cstdint>
#include <string>

namespace bn {

class Md5 {
 public:
  void add(const uint8_t* bytes, int64_t size);
  std::string hex();  // ends the sum

 private:
  void add_block(const uint8_t* block);

  std::array<uint32_t, 4> state_{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476};
  std::array<uint8_t, 64> pending_{};
  uint64_t size_ = 0;
};

}  // namespace bn
