#include "run/safetensors.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <xxhash.h>

#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "bn/error.hpp"
#include "support/error_message.hpp"
#include "support/temporary_folder.hpp"

namespace bn::test {
namespace {

using testing::HasSubstr;

const std::vector<SafetensorsEntry> kEntries{{.name = "value/a/w", .dims = {2, 1, 1, 3}},
                                             {.name = "value/b", .dims = {1, 1, 1, 1}}};
const std::vector<uint32_t> kBits{0x00000000, 0x80000000, 0x7fc12345, 0xff800000, 0x00000001, 0x3f800000, 0xffffffff};

void write_example(const std::string& path) {
  const SafetensorsMetadata metadata{{"step", "12"}, {"config", "a: \"quoted\"\nb: π\n"}};
  write_safetensors(path, metadata, kEntries, [](size_t index, std::span<float> values) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = std::bit_cast<float>(kBits[index * 6 + i]);
  });
}

std::string open_error(const std::string& path) {
  return error_message<CheckpointError>([&] { SafetensorsFile file(path); });
}

// A file with a valid checksum whatever the header says.
std::string forge(const std::string& rest_of_header, const std::string& data) {
  std::string header = R"({"__metadata__":{"checksum":"xxh3-64:0000000000000000")" + rest_of_header;
  const size_t digits = header.find("0000000000000000");
  const uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), 8);
  file += header + data;
  return file.replace(8 + digits, 16, fmt::format("{:016x}", XXH3_64bits(file.data(), file.size())));
}

TEST(Safetensors, RoundTripsEveryBit) {
  const TemporaryFolder folder;
  write_example(folder / "a");
  const SafetensorsFile file(folder / "a");
  ASSERT_EQ(file.entries().size(), 2U);
  EXPECT_EQ(file.entries()[0].name, "value/a/w");
  EXPECT_EQ(file.entries()[0].dims, (std::vector<int64_t>{2, 1, 1, 3}));
  EXPECT_EQ(file.entries()[1].name, "value/b");
  EXPECT_EQ(file.entries()[1].dims, (std::vector<int64_t>{1, 1, 1, 1}));
  std::vector<float> data = file.read(file.entries()[0]);
  data.push_back(file.read(file.entries()[1]).at(0));
  ASSERT_EQ(data.size(), kBits.size());
  EXPECT_EQ(std::memcmp(data.data(), kBits.data(), data.size() * 4), 0);
  ASSERT_NE(file.metadata("config"), nullptr);
  EXPECT_EQ(*file.metadata("config"), "a: \"quoted\"\nb: π\n");
  EXPECT_EQ(file.metadata("absent"), nullptr);
  EXPECT_EQ(names_in(folder.path()), std::set<std::string>{"a"});
}

// The rules that safetensors' own readers insist on.
TEST(Safetensors, FollowsTheFormat) {
  const TemporaryFolder folder;
  write_example(folder / "a");
  const std::string bytes = read_bytes(folder / "a");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  ASSERT_LT(8 + length, bytes.size());
  EXPECT_EQ((8 + length) % 8, 0U);
  EXPECT_EQ(bytes[8], '{');
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  for (const auto& [key, value] : header.at("__metadata__").items()) EXPECT_TRUE(value.is_string()) << key;
  EXPECT_EQ(header.at("value/a/w"),
            nlohmann::json::parse(R"({"dtype": "F32", "shape": [2, 1, 1, 3], "data_offsets": [0, 24]})"));
  EXPECT_EQ(header.at("value/b"),
            nlohmann::json::parse(R"({"dtype": "F32", "shape": [1, 1, 1, 1], "data_offsets": [24, 28]})"));
  EXPECT_EQ(header.size(), 3U);
  EXPECT_EQ(bytes.size(), 8 + length + 28);
}

TEST(Safetensors, FindsEveryFlippedBit) {
  const TemporaryFolder folder;
  write_example(folder / "a");
  const std::string bytes = read_bytes(folder / "a");
  std::fstream file(folder / "a", std::ios::binary | std::ios::in | std::ios::out);
  const auto put = [&](size_t offset, int byte) {
    file.seekp(static_cast<std::streamoff>(offset)).put(static_cast<char>(byte)).flush();
    ASSERT_TRUE(file);
  };
  for (size_t offset = 0; offset < bytes.size(); ++offset) {
    for (int bit = 0; bit < 8; ++bit) {
      put(offset, bytes[offset] ^ (1 << bit));
      ASSERT_NE(open_error(folder / "a"), "") << "byte " << offset << ", bit " << bit;
    }
    put(offset, bytes[offset]);
  }
  EXPECT_EQ(SafetensorsFile(folder / "a").entries().size(), 2U);
}

TEST(Safetensors, FindsEveryTruncationAndAddition) {
  const TemporaryFolder folder;
  write_example(folder / "a");
  const std::string bytes = read_bytes(folder / "a");
  for (size_t length = bytes.size(); length-- > 0;) {
    std::filesystem::resize_file(folder / "a", length);
    ASSERT_THAT(open_error(folder / "a"), HasSubstr("is damaged")) << length;
  }
  write_bytes(folder / "b", bytes + '\0');
  EXPECT_THAT(open_error(folder / "b"), HasSubstr("is damaged: its checksum is "));
}

TEST(Safetensors, HostileHeaderLengthAllocatesNothing) {
  const TemporaryFolder folder;
  write_example(folder / "a");
  const std::string bytes = read_bytes(folder / "a");
  const std::vector<uint64_t> lengths{0,
                                      1,
                                      52,
                                      bytes.size() - 8,
                                      bytes.size() - 7,
                                      uint64_t{1} << 40,
                                      uint64_t{1} << 63,
                                      ~uint64_t{0},
                                      ~uint64_t{0} - 7};
  for (const uint64_t length : lengths) {
    std::string damaged = bytes;
    std::memcpy(damaged.data(), &length, 8);
    write_bytes(folder / "b", damaged);
    EXPECT_THAT(open_error(folder / "b"), HasSubstr("is damaged")) << length;
  }
  // A terabyte that is not there: a sparse file.
  write_bytes(folder / "b", std::string(8, '\x7f'));
  std::filesystem::resize_file(folder / "b", uintmax_t{1} << 40);
  EXPECT_THAT(open_error(folder / "b"), HasSubstr("does not fit into 1099511627776 bytes"));
}

TEST(Safetensors, HostileHeaderWithAValidChecksum) {
  const TemporaryFolder folder;
  const std::string good = R"(},"a":{"dtype":"F32","shape":[1,1,1,2],"data_offsets":[0,8]}})";
  write_bytes(folder / "b", forge(good, std::string(8, 'x')));
  EXPECT_EQ(SafetensorsFile(folder / "b").entries().size(), 1U);
  const auto tensor = [](const std::string& text) { return R"(},"a":{)" + text + "}}"; };
  const std::vector<std::string> headers{
      tensor(R"("dtype":"F32","shape":[1,1,1,2],"data_offsets":[0,4])"),
      tensor(R"("dtype":"F32","shape":[1,1,1,2],"data_offsets":[4,12])"),
      tensor(R"("dtype":"F32","shape":[1,1,1,2],"data_offsets":[0,18446744073709551615])"),
      tensor(R"("dtype":"F32","shape":[1,1,1,2],"data_offsets":8)"),
      tensor(R"("dtype":"F32","shape":[1,1,1,2])"),
      tensor(R"("dtype":"F64","shape":[1,1,1,2],"data_offsets":[0,8])"),
      tensor(R"("dtype":3,"shape":[1,1,1,2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":"2","data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[1,1,1,0],"data_offsets":[0,0])"),
      tensor(R"("dtype":"F32","shape":[-1,-1,1,2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[4294967296,4294967296,1,2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[18446744073709551615,1,1,2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[1e300,1,1,2],"data_offsets":[0,8])"),
      tensor(R"("dtype":"F32","shape":[1,1,1,1],"data_offsets":[0,4])"),
      R"(},"a":[]})",
      R"(},"a":null})",
      R"(,"step":7}})",
      R"(}})" + std::string(50'000, '['),
      "}",
      "",
  };
  for (const std::string& header : headers) {
    write_bytes(folder / "b", forge(header, std::string(8, 'x')));
    const std::string message = open_error(folder / "b");
    EXPECT_TRUE(message.find("was not written by bninception") != std::string::npos ||
                message.find("its header is not JSON") != std::string::npos)
        << header.substr(0, 100) << "\n"
        << message;
  }
}

TEST(Safetensors, OfAnotherProgramIsNamedSo) {
  const TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"F32","shape":[1,1,1,1],"data_offsets":[0,4]}}    )";
  const uint64_t length = header.size();
  write_bytes(folder / "b", std::string(reinterpret_cast<const char*>(&length), 8) + header + "abcd");
  EXPECT_THAT(open_error(folder / "b"), HasSubstr("was not written by bninception"));
}

// --- files of other programs

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}

template <class T>
std::string raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

TEST(AnySafetensors, ReadsEveryFloatingType) {
  const TemporaryFolder folder;
  // In no order, with a scalar, a tensor of no values, and one that is no floating-point number.
  const std::string header = R"({"half":{"dtype":"F16","shape":[2,3],"data_offsets":[8,20]},)"
                             R"("double":{"dtype":"F64","shape":[],"data_offsets":[0,8]},)"
                             R"("brain":{"dtype":"BF16","shape":[1,2],"data_offsets":[20,24]},)"
                             R"("none":{"dtype":"F32","shape":[0,4611686018427387904,4],"data_offsets":[24,24]},)"
                             R"("__metadata__":{"format":"pt"},)"
                             R"("count":{"dtype":"I64","shape":[1],"data_offsets":[24,32]}}   )";
  const std::string data = raw<double>({-0.1}) + raw<uint16_t>({0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff, 0xfc00}) +
                           raw<uint16_t>({0x3f80, 0xc049}) + raw<int64_t>({7});
  write_bytes(folder / "a", file_of(header, data));
  const SafetensorsFile file(folder / "a", SafetensorsWriter::kAny);
  const auto values = [&](size_t index) { return file.read(file.entries().at(index)); };
  EXPECT_EQ(*file.metadata("format"), "pt");
  EXPECT_EQ(file.entries()[0].dims, (std::vector<int64_t>{2, 3}));
  // Halves by IEEE 754: 1, -2, the smallest subnormal, the largest one negated, the largest number, -infinity.
  EXPECT_EQ(values(0),
            (std::vector<float>{1, -2, 0x1p-24F, -1023 * 0x1p-24F, 65504, -std::numeric_limits<float>::infinity()}));
  EXPECT_EQ(values(1), (std::vector<float>{-0.1F}));
  EXPECT_EQ(values(2), (std::vector<float>{1, -3.140625}));
  EXPECT_EQ(values(3), std::vector<float>{});
  EXPECT_EQ(error_message<CheckpointError>([&] { values(4); }),
            "checkpoint '" + folder.path() + "/a' holds 'count' as I64, where F32, F16, BF16 or F64 is needed");
}

TEST(AnySafetensors, RefusesHostileHeaders) {
  const TemporaryFolder folder;
  const auto message_of = [&](const std::string& header) {
    write_bytes(folder / "a", file_of(header, std::string(8, 'x')));
    return error_message<CheckpointError>([&] { SafetensorsFile(folder / "a", SafetensorsWriter::kAny); });
  };
  const auto tensor = [](const std::string& text) { return R"({"a":{)" + text + "}}"; };
  const auto ends_with = [&](const std::string& header, const std::string& end) {
    EXPECT_EQ(message_of(header), "checkpoint '" + folder.path() + "/a' " + end) << header;
  };
  const std::string invalid = "is no valid safetensors file: 'a' ";
  ends_with(tensor(R"("dtype":"F33","shape":[2],"data_offsets":[0,8])"), invalid + "is of an unknown type");
  ends_with(tensor(R"("dtype":"F32","shape":[3],"data_offsets":[0,12])"), invalid + "does not fit into the file");
  ends_with(tensor(R"("dtype":"F32","shape":[-2],"data_offsets":[0,8])"), invalid + "does not fit into the file");
  ends_with(tensor(R"("dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8])"),
            invalid + "does not fit into the file");
  ends_with(tensor(R"("dtype":"F32","shape":[0,-1],"data_offsets":[0,0])"), invalid + "does not fit into the file");
  for (const char* offsets : {"[0,4]", "[4,12]", "[-4,4]", "[8,0]", "[0]", "[0,8,8]", "[9223372036854775807,8]"}) {
    ends_with(tensor(R"("dtype":"F32","shape":[2],"data_offsets":)" + std::string(offsets)),
              invalid + "has wrong offsets");
  }
  ends_with(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[4,8])"),
            "is no valid safetensors file: its tensors leave a gap at byte 0 of the data");
  ends_with(
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      "is no valid safetensors file: its tensors overlap at byte 4 of the data");
  ends_with(tensor(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"),
            "is damaged: its tensors need 4 bytes, it holds 8");
  ends_with("[]", "is damaged: its header is not JSON");
  ends_with("{\"a\":" + std::string(50'000, '['), "is damaged: its header is not JSON");
  EXPECT_THAT(message_of(R"({"__metadata__":{"a":7}})"), HasSubstr("is no valid safetensors file: '__metadata__'"));
}

TEST(AnySafetensors, VerifiesOurOwnChecksum) {
  const TemporaryFolder folder;
  write_example(folder / "a");
  EXPECT_EQ(SafetensorsFile(folder / "a", SafetensorsWriter::kAny).entries().size(), 2U);
  std::string bytes = read_bytes(folder / "a");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  write_bytes(folder / "a", bytes);
  EXPECT_THAT(error_message<CheckpointError>([&] { SafetensorsFile(folder / "a", SafetensorsWriter::kAny); }),
              HasSubstr("is damaged: its checksum is"));
}

TEST(Safetensors, MissingFileAndFolder) {
  const TemporaryFolder folder;
  EXPECT_EQ(open_error(folder / "none"),
            "checkpoint '" + folder.path() + "/none' cannot be opened: No such file or directory");
  EXPECT_EQ(open_error(folder.path()), "checkpoint '" + folder.path() + "' is not a file");
}

}  // namespace
}  // namespace bn::test
