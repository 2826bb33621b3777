// Any bytes as the index of a packed set; and again with the checksum that they would need, to come past it.
#include <cstring>

#include "bn/error.hpp"
#include "data/packed_index.hpp"

namespace {

void parse(const std::string& bytes) {
  try {
    const bn::PackedIndex index = bn::parse_index(bytes, "index");
    if (bn::write_index(index).size() != bytes.size()) std::abort();
  } catch (const bn::Error&) {  // the promised error
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::string text(reinterpret_cast<const char*>(bytes), size);
  parse(text);
  constexpr size_t kSum = sizeof(uint64_t);
  if (size <= kSum) return 0;
  const uint64_t sum = bn::checksum_of(text.data(), static_cast<int64_t>(size - kSum));
  std::memcpy(text.data() + size - kSum, &sum, kSum);
  parse(text);
  return 0;
}
