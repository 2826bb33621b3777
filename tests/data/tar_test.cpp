#include "data/tar.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "data/fixtures.hpp"

namespace bn {
namespace {

using namespace test;  // NOLINT(google-build-using-namespace)

Bytes pax_record(const std::string& key, const std::string& value) {
  const std::string body = " " + key + "=" + value + "\n";
  size_t length = body.size() + 1;
  while (std::to_string(length).size() + body.size() != length) ++length;
  return bytes_of(std::to_string(length) + body);
}

void append_extended(Bytes& tar, char type, const Bytes& body) {
  append(tar, tar_header("extension", static_cast<int64_t>(body.size()), type));
  append_padded(tar, body);
}

Bytes link(const std::string& path, const std::string& target, char type) {
  Bytes header = tar_header(path, 0, type);
  std::copy(target.begin(), target.end(), header.begin() + 157);
  seal_tar_header(header);
  return header;
}

class Tar : public testing::Test {
 protected:
  std::vector<TarMember> list(const Bytes& tar) const { return list_tar(FileReader(dir_.write("x.tar", tar))); }
  std::string refusal(const Bytes& tar) const {
    return error_message<DataError>([&] { list(tar); });
  }
  std::string content(const TarMember& member) const {
    std::string text(static_cast<size_t>(member.size), '\0');
    FileReader(dir_ / "x.tar").read(member.offset, member.size, reinterpret_cast<uint8_t*>(text.data()));
    return text;
  }

  const TemporaryFolder dir_;
};

TEST_F(Tar, ALinkIsItsFileUnderAnotherName) {
  const Bytes content_of_a = bytes_of("pixels");
  Bytes tar;
  append(tar, tar_header("ant/a.jpg", static_cast<int64_t>(content_of_a.size())));
  append_padded(tar, content_of_a);
  append(tar, link("bee/hard.jpg", "ant/a.jpg", '1'));
  append(tar, link("bee/soft.jpg", "../ant/a.jpg", '2'));
  append(tar, link("bee/gone.jpg", "../ant/z.jpg", '2'));
  append(tar, link("device", "", '3'));
  append(tar, Bytes(1024));
  LeftOut left_out;
  const std::string path = dir_.write("x.tar", tar);
  const auto members = list_tar(FileReader(path), &left_out);
  ASSERT_EQ(members.size(), 3U);
  for (const TarMember& member : members) EXPECT_EQ(content(member), "pixels") << member.path;
  EXPECT_EQ(members[1].path, "bee/hard.jpg");
  EXPECT_EQ(left_out.count, 2);
  EXPECT_EQ(left_out.names,
            (std::vector<std::string>{path + ":device", path + ":bee/gone.jpg (a link to ../ant/z.jpg)"}));
}

TEST_F(Tar, ASymbolicLinkMayComeBeforeItsFile) {
  Bytes tar;
  append(tar, link("bee/chain.jpg", "soft.jpg", '2'));
  append(tar, link("bee/soft.jpg", "../ant/a.jpg", '2'));
  append(tar, link("bee/circle.jpg", "circle.jpg", '2'));
  append_member(tar, "ant/a.jpg", bytes_of("older"));
  append(tar, link("bee/hard.jpg", "ant/a.jpg", '1'));
  append_member(tar, "ant/a.jpg", bytes_of("newer"));
  close_tar(tar);
  LeftOut left_out;
  const std::string path = dir_.write("x.tar", tar);
  const auto members = list_tar(FileReader(path), &left_out);
  std::map<std::string, std::string> contents;
  for (const TarMember& member : members) contents[member.path] = content(member);
  EXPECT_EQ(
      contents,
      (std::map<std::string, std::string>{
          {"bee/chain.jpg", "newer"}, {"bee/soft.jpg", "newer"}, {"bee/hard.jpg", "older"}, {"ant/a.jpg", "newer"}}));
  EXPECT_EQ(members.front().path, "bee/chain.jpg");
  EXPECT_EQ(left_out.names, (std::vector<std::string>{path + ":bee/circle.jpg (a link to circle.jpg)",
                                                      path + ":ant/a.jpg (an earlier version of it)"}));
}

TEST_F(Tar, ReadsJoinedArchivesOnAndALabel) {
  const Bytes one = tar_of({{"a/1.jpg", bytes_of("1")}}), two = tar_of({{"b/2.jpg", bytes_of("2")}});
  Bytes joined = link("label", "", 'V');
  for (const Bytes* part : {&one, &two}) append(joined, *part);
  const auto members = list(joined);
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(content(members[1]), "2");
  append(joined, Bytes(512, 'x'));
  EXPECT_CONTAINS(refusal(joined), "has bytes behind its end that are no member");
}

TEST_F(Tar, ListsRegularFilesInOrder) {
  Bytes tar;
  append(tar, tar_header("train/", 0, '5'));
  append_member(tar, "train/b/1.jpg", bytes_of("first"));
  append(tar, tar_header("train/b/link.jpg", 700, '2'));  // a link has no data whatever its size field says
  append_member(tar, "train/a/2.jpg", Bytes(512, 'x'));
  append_member(tar, "train/a/empty.jpg", {});
  close_tar(tar);
  const auto members = list(tar);
  ASSERT_EQ(members.size(), 3U);
  EXPECT_EQ(members[0].path, "train/b/1.jpg");
  EXPECT_EQ(content(members[0]), "first");
  EXPECT_EQ(members[1].path, "train/a/2.jpg");
  EXPECT_EQ(content(members[1]), std::string(512, 'x'));
  EXPECT_EQ(members[2].size, 0);
}

TEST_F(Tar, JoinsThePrefixOfUstarOnly) {
  Bytes tar, header = tar_header("1.jpg", 0);
  std::memcpy(header.data() + 345, "deep/folder", 11);
  seal_tar_header(header);
  append(tar, header);
  std::memcpy(header.data() + 257, "ustar  ", 8);  // GNU: other fields live there
  seal_tar_header(header);
  append(tar, header);
  close_tar(tar);
  const auto members = list(tar);
  EXPECT_EQ(members[0].path, "deep/folder/1.jpg");
  EXPECT_EQ(members[1].path, "1.jpg");
}

TEST_F(Tar, ReadsGnuLongNames) {
  const std::string name = std::string(150, 'n') + "/" + std::string(120, 'm') + ".jpg";
  Bytes tar;
  Bytes body = bytes_of(name);
  body.push_back(0);
  append_extended(tar, 'L', body);
  append_member(tar, name, bytes_of("long"));
  append_member(tar, "short/1.jpg", bytes_of("short"));
  close_tar(tar);
  const auto members = list(tar);
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].path, name);
  EXPECT_EQ(content(members[0]), "long");
  EXPECT_EQ(members[1].path, "short/1.jpg");
}

TEST_F(Tar, ReadsPaxPathsAndSizes) {
  const std::string name = std::string(300, 'p') + "/1.jpg";
  Bytes tar;
  append_extended(tar, 'g', pax_record("comment", "for all"));
  Bytes records = pax_record("mtime", "1.5");
  append(records, pax_record("path", name));
  append(records, pax_record("size", "4"));
  append_extended(tar, 'x', records);
  append(tar, tar_header("cut", 0));
  append_padded(tar, bytes_of("data"));
  append_member(tar, "plain/1.jpg", bytes_of("plain"));
  close_tar(tar);
  const auto members = list(tar);
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].path, name);
  EXPECT_EQ(content(members[0]), "data");
  EXPECT_EQ(content(members[1]), "plain");
}

TEST_F(Tar, ReadsBinarySizes) {
  Bytes tar, header = tar_header("a/1.jpg", 0);
  std::memset(header.data() + 124, 0, 12);
  header[124] = 0x80;
  header[135] = 3;
  seal_tar_header(header);
  append(tar, header);
  append_padded(tar, bytes_of("abc"));
  close_tar(tar);
  EXPECT_EQ(content(list(tar).at(0)), "abc");
}

TEST_F(Tar, NoticesThatItIsCutOff) {
  const Bytes tar = tar_of({{"a/1.jpg", Bytes(600, 'a')}, {"a/2.jpg", Bytes(600, 'b')}});
  const std::string start = "the tar file " + dir_ / "x.tar" + " is cut off: ";
  const auto cut_at = [&](int64_t size) { return refusal(Bytes(tar.begin(), tar.begin() + size)); };
  EXPECT_EQ(cut_at(0), start + "it ends without the closing blocks of zeros (block at byte 0)");
  EXPECT_EQ(cut_at(300), start + "it ends without the closing blocks of zeros (block at byte 0)");
  EXPECT_EQ(cut_at(900), start + "a member of 600 bytes does not fit into the file's 900 (block at byte 0)");
  EXPECT_EQ(cut_at(1536), start + "it ends without the closing blocks of zeros (block at byte 1536)");
  EXPECT_EQ(cut_at(2048), start + "a member of 600 bytes does not fit into the file's 2048 (block at byte 1536)");
  EXPECT_EQ(cut_at(3072), start + "it ends without the closing blocks of zeros (block at byte 3072)");
}

TEST_F(Tar, NoticesGarbage) {
  Bytes tar = tar_of({{"a/1.jpg", bytes_of("one")}, {"a/2.jpg", bytes_of("two")}});
  tar[1024 + 10] ^= 0x40;  // this byte is in the second header
  EXPECT_EQ(refusal(tar), "the tar file " + dir_ / "x.tar" +
                              " is damaged or not a tar file: a header's checksum is wrong (block at byte 1024)");
  EXPECT_CONTAINS(refusal(Bytes(2048, 'g')), "is damaged or not a tar file");
  Bytes packed = gzip(tar_of({{"a/1.jpg", jpeg_image(40, 40, 1)}}));
  packed.resize(2048);
  EXPECT_CONTAINS(refusal(packed), "is compressed; it is read in place, so decompress it first (gunzip)");
}

TEST_F(Tar, NoticesImpossibleSizes) {
  const auto with_size_field = [&](const Bytes& field) {
    Bytes header = tar_header("a/1.jpg", 0);
    std::copy(field.begin(), field.end(), header.begin() + 124);
    seal_tar_header(header);
    close_tar(header);
    return refusal(header);
  };
  const std::string no_number = "is damaged: a member's size is no number or too large (block at byte 0)";
  EXPECT_CONTAINS(with_size_field(Bytes(12, 0xFF)), no_number);  // beyond 63 bits
  EXPECT_CONTAINS(with_size_field(bytes_of("0000000x123")), no_number);
  EXPECT_CONTAINS(with_size_field(bytes_of("-0000000001")), no_number);
  EXPECT_CONTAINS(with_size_field(Bytes(12, 0)), no_number);
  EXPECT_CONTAINS(with_size_field({0x80, 0, 0, 0, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}),
                  "is cut off: a member of 9223372036854775807 bytes does not fit");
  EXPECT_CONTAINS(with_size_field(bytes_of("77777777777")), "is cut off: a member of 8589934591 bytes does not fit");
}

TEST_F(Tar, NoticesDamagedExtensions) {
  for (const char* body : {"999 path=x\n", "path=x\n", "0 path=x\n", "3 x", "99999999999999999999999 path=x\n"}) {
    Bytes tar;
    append_extended(tar, 'x', bytes_of(body));
    append_member(tar, "a/1.jpg", {});
    close_tar(tar);
    EXPECT_CONTAINS(refusal(tar), "is damaged: a pax record has a wrong length");
  }
  Bytes tar;
  append_extended(tar, 'x', pax_record("size", "12x"));
  close_tar(tar);
  EXPECT_CONTAINS(refusal(tar), "is damaged: a member's size is no number or too large");
  Bytes huge;
  append_extended(huge, 'L', Bytes(2 << 20, 'n'));
  close_tar(huge);
  EXPECT_CONTAINS(refusal(huge), "is damaged: a member's name is over a megabyte long");
  Bytes sparse = tar_header("a/1.jpg", 0, 'S');
  close_tar(sparse);
  EXPECT_CONTAINS(refusal(sparse), "holds a sparse file, which is not supported");
}

TEST_F(Tar, OfSeveralVersionsOfAFileTheLastCounts) {
  const std::string path = dir_.write(
      "x.tar", tar_of({{"a/1.jpg", bytes_of("old")}, {"a/2.jpg", bytes_of("other")}, {"./a/1.jpg", bytes_of("new")}}));
  LeftOut left_out;
  const auto members = list_tar(FileReader(path), &left_out);
  ASSERT_EQ(members.size(), 2U);
  EXPECT_EQ(members[0].path, "a/2.jpg");
  EXPECT_EQ(content(members[1]), "new");
  EXPECT_EQ(left_out.names, std::vector<std::string>{path + ":a/1.jpg (an earlier version of it)"});
}

TEST_F(Tar, NamesOtherFormats) {
  const auto message = [&](const std::string& magic) {
    Bytes file = bytes_of(magic);
    file.resize(2048, 7);
    return refusal(file);
  };
  EXPECT_CONTAINS(message("BZh91AY"), "decompress it first (bunzip2)");
  EXPECT_CONTAINS(message("\xFD\x37zXZ"), "decompress it first (unxz)");
  EXPECT_CONTAINS(message("\x28\xB5\x2F\xFD"), "decompress it first (unzstd)");
  EXPECT_CONTAINS(message("PK\x03\x04"), "is a ZIP file; unpack it and name the folder");
  EXPECT_CONTAINS(message("7z\xBC\xAF\x27\x1C"), "is a 7z file");
  EXPECT_CONTAINS(message("Rar!\x1A\x07"), "is a RAR file");
  EXPECT_EQ(list(tar_of({{"PKW/1.jpg", bytes_of("a tank")}})).size(), 1U);
}

TEST_F(Tar, RefusesSparseFilesOfPax) {
  Bytes tar;
  append_extended(tar, 'x', pax_record("GNU.sparse.major", "1"));
  append_member(tar, "a/GNUSparseFile.1/1.jpg", {});
  close_tar(tar);
  EXPECT_CONTAINS(refusal(tar), "holds a sparse file, which is not supported");
}

}  // namespace
}  // namespace bn
