#include "exchange/event_framing.hpp"

#include <bit>
#include <boost/crc.hpp>

namespace bn::exchange {
namespace {

static_assert(std::endian::native == std::endian::little, "TFRecord stores little-endian values");

using Crc32c = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

template <class Integer>
std::string_view bytes_of(const Integer& value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

}  // namespace

uint32_t masked_crc32c(std::string_view bytes) {
  constexpr int kRotation = 15;
  constexpr uint32_t kMaskDelta = 0xA282EAD8;
  Crc32c crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<uint32_t>(crc.checksum()), kRotation) + kMaskDelta;
}

std::string framed(std::string_view bytes) {
  const uint64_t length = bytes.size();
  const uint32_t of_length = masked_crc32c(bytes_of(length)), of_bytes = masked_crc32c(bytes);
  std::string frame;
  for (const std::string_view part : {bytes_of(length), bytes_of(of_length), bytes, bytes_of(of_bytes)}) frame += part;
  return frame;
}

}  // namespace bn::exchange
