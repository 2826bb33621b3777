#include "packing/tar_writer.hpp"

#include <gtest/gtest.h>

#include "data/file_reader.hpp"
#include "data/fixtures.hpp"
#include "data/packed_index.hpp"
#include "data/tar.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

TEST(TarWriter, WritesWhatTheReaderReads) {
  const TemporaryFolder dir;
  const std::string path = dir / "set.tar";
  const std::string deep = std::string(90, 'd') + "/" + std::string(60, 'f') + ".jpg";
  const std::string endless = std::string(300, 'n') + ".jpg";
  std::vector<std::pair<std::string, Bytes>> members{
      {"a/1.jpg", Bytes(700, 7)}, {"a/2.cls", {}}, {deep, Bytes(512, 1)}, {endless, Bytes(3, 2)}};
  std::vector<int64_t> offsets;
  TarWriter writer(path);
  for (const auto& [name, bytes] : members) {
    offsets.push_back(writer.append(name, bytes.data(), static_cast<int64_t>(bytes.size())));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  const auto result = writer.finish();
  const Bytes file = bytes_of(read_bytes(path));
  EXPECT_EQ(result.bytes, static_cast<int64_t>(file.size()));
  EXPECT_EQ(result.checksum, checksum_of(file.data(), result.bytes));

  const FileReader reader(path);
  const auto listed = list_tar(reader);
  ASSERT_EQ(listed.size(), members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    EXPECT_EQ(listed[i].offset, offsets[i]);
    EXPECT_EQ(listed[i].size, static_cast<int64_t>(members[i].second.size()));
    EXPECT_EQ(member_name(reader, offsets[i]), listed[i].path);
    Bytes bytes(members[i].second.size());
    reader.read(offsets[i], listed[i].size, bytes.data());
    EXPECT_EQ(bytes, members[i].second);
  }
  EXPECT_EQ(listed[0].path, "a/1.jpg");
  EXPECT_EQ(listed[2].path, deep);
  EXPECT_LE(listed[3].path.size(), 100U);  // shortened, and still told apart by a hash
  EXPECT_TRUE(listed[3].path.ends_with(".jpg"));
}

TEST(TarWriter, EqualsTheFixturesTar) {
  const TemporaryFolder dir;
  TarWriter writer(dir / "one.tar");
  const Bytes bytes(600, 9);
  writer.append("a/1.jpg", bytes.data(), 600);
  writer.finish();
  const Bytes file = bytes_of(read_bytes(dir / "one.tar"));
  EXPECT_EQ(file.size(), tar_of({{"a/1.jpg", bytes}}).size());
  EXPECT_EQ(std::string(file.begin() + 257, file.begin() + 262), "ustar");
}

// An image and its label belong together by their names up to the dot, however long these are.
TEST(TarWriter, FilesOfOneKeyKeepOneKey) {
  const TemporaryFolder dir;
  for (const size_t length : {80U, 90U, 94U, 95U, 96U, 97U, 100U, 150U}) {
    TarWriter writer(dir / "set.tar");
    const std::string key = "a/" + std::string(length, 'n');
    const uint8_t byte = 1;
    for (const char* extension : {".webp", ".jpg", ".cls"}) writer.append(key + extension, &byte, 1);
    writer.append(key, &byte, 1);  // without one
    writer.finish();
    std::set<std::string> keys;
    const auto members = list_tar(FileReader(dir / "set.tar"));
    for (size_t i = 0; i < 3; ++i) keys.insert(members[i].path.substr(0, members[i].path.rfind('.')));
    EXPECT_EQ(keys.size(), 1U) << length;
    EXPECT_TRUE(members[0].path.ends_with(".webp"));
    EXPECT_TRUE(members[2].path.ends_with(".cls"));
  }
}

}  // namespace
}  // namespace bn
