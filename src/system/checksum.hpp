#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace bn {

// The XXH3 of the bytes that are added, one after the other.
class Checksum {
 public:
  Checksum();
  ~Checksum();
  void add(const void* bytes, int64_t size);
  uint64_t value() const;
  std::string digits() const;  // 16, hexadecimal

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bn
