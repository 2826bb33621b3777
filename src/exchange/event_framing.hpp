// TFRecord, the framing of TensorBoard's event files: the length as u64, its checksum, the bytes, their checksum, all
// little-endian.
#pragma once

#include <bit>
#include <boost/crc.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace bn::exchange {

static_assert(std::endian::native == std::endian::little, "TFRecord stores little-endian values");

// CRC-32C, rotated and shifted so that a checksum of bytes that hold checksums stays a good one.
inline uint32_t masked_crc32c(std::string_view bytes) {
  constexpr int kRotation = 15;
  constexpr uint32_t kMaskDelta = 0xA282EAD8;
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(static_cast<uint32_t>(crc.checksum()), kRotation) + kMaskDelta;
}

inline std::string framed(std::string_view bytes) {
  const auto bytes_of = [](const auto& value) {
    return std::string_view(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  const uint64_t length = bytes.size();
  const uint32_t of_length = masked_crc32c(bytes_of(length)), of_bytes = masked_crc32c(bytes);
  std::string frame;
  for (const std::string_view part : {bytes_of(length), bytes_of(of_length), bytes, bytes_of(of_bytes)}) frame += part;
  return frame;
}

}  // namespace bn::exchange
