// TFRecord, the framing of TensorBoard's event files: the length as u64, its checksum, the bytes, their checksum, all
// little-endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace bn::exchange {

// CRC-32C, rotated and shifted so that a checksum of bytes that hold checksums stays a good one.
uint32_t masked_crc32c(std::string_view bytes);
std::string framed(std::string_view bytes);

}  // namespace bn::exchange
