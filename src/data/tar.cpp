#include "data/tar.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "bn/error.hpp"
#include "system/text.hpp"

namespace bn {
namespace {

constexpr int64_t kBlock = 512;
// The limit of a long name or pax record, so that garbage cannot ask for gigabytes.
constexpr int64_t kMaxNameBytes = 1 << 20;

using Block = std::array<uint8_t, kBlock>;

// Header fields: offset and length (POSIX.1-1988 ustar).
struct Field {
  size_t offset, length;
};
constexpr Field kName{0, 100}, kSize{124, 12}, kChecksum{148, 8}, kLink{157, 100}, kMagic{257, 5}, kPrefix{345, 155};
constexpr size_t kType = 156;

std::string text(const Block& block, Field field) {
  const char* begin = reinterpret_cast<const char*>(block.data()) + field.offset;
  return {begin, strnlen(begin, field.length)};
}

// A number is octal digits between spaces or, with the top bit set, big-endian binary (GNU). nullopt if it is neither
// or exceeds 63 bits.
std::optional<int64_t> number(const Block& block, Field field) {
  const uint8_t* bytes = block.data() + field.offset;
  if (bytes[0] & 0x80) {
    uint64_t value = bytes[0] & 0x7F;
    for (size_t i = 1; i < field.length; ++i) {
      if (value >> 55 != 0) return std::nullopt;
      value = value << 8 | bytes[i];
    }
    return static_cast<int64_t>(value);
  }
  const std::string digits = text(block, field);
  const size_t begin = std::min(digits.find_first_not_of(' '), digits.size());
  int64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data() + begin, digits.data() + digits.size(), value, 8);
  const bool rest_is_blank = std::string_view(end).find_first_not_of(' ') == std::string_view::npos;
  if (error != std::errc() || value < 0 || !rest_is_blank) return std::nullopt;
  return value;
}

// The sum of the header's bytes with the checksum field as blanks; old writers summed signed bytes.
bool checksum_fits(const Block& block) {
  int64_t unsigned_sum = 0, signed_sum = 0;
  for (size_t i = 0; i < block.size(); ++i) {
    const bool inside = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
    const uint8_t byte = inside ? ' ' : block[i];
    unsigned_sum += byte;
    signed_sum += static_cast<int8_t>(byte);
  }
  const auto stored = number(block, kChecksum);
  return stored && (*stored == unsigned_sum || *stored == signed_sum);
}

bool is_zero(const uint8_t* bytes, int64_t count) {
  return bytes[0] == 0 && std::memcmp(bytes, bytes + 1, static_cast<size_t>(count - 1)) == 0;
}

// The properties that an extended header gives the member after it.
struct Extension {
  std::string path, link;
  std::optional<int64_t> size;
};

class TarIndexer {
 public:
  TarIndexer(const FileReader& file, int64_t begin, int64_t size, LeftOut* left_out = nullptr)
      : file_(file), begin_(begin), end_(begin + size), position_(begin), left_out_(left_out) {}

  std::vector<TarMember> list() {
    std::vector<TarMember> members;
    Block block{};
    while (read_header(block)) {
      int64_t size = size_of_data(block);
      switch (block[kType]) {
        case 'L':
          extension_.path = read_name(size);
          break;
        case 'K':
          extension_.link = read_name(size);
          break;
        case 'x':
          read_pax(read_text(size));
          break;
        case 'S':
          fail("holds a sparse file, which is not supported");
        case '0':
        case '\0':
        case '7':
          members.push_back({.path = path_of(block), .offset = position_, .size = size});
          extension_ = {};
          break;
        case '1':
        case '2':
          add_link(block, members);
          extension_ = {};
          break;
        case 'g':  // pax records for all: none concerns an image
          break;
        case '5':  // a folder
        case 'V':  // a label
          extension_ = {};
          break;
        default:
          leave_out(path_of(block));
          extension_ = {};
      }
      position_ += (size + kBlock - 1) / kBlock * kBlock;
    }
    if (!links_.empty()) resolve_links(members);
    return members;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw DataError(fmt::format("the tar file {} {} (block at byte {})", file_.path(), what, header_));
  }

  void leave_out(const std::string& path) const {
    if (left_out_ != nullptr) left_out_->add(file_.path() + ":" + path);
  }

  // A link is another name of a member. A hard link's is before it, and is meant as it is then.
  void add_link(const Block& block, std::vector<TarMember>& members) {
    namespace fs = std::filesystem;
    const std::string path = path_of(block), link = extension_.link.empty() ? text(block, kLink) : extension_.link;
    const bool is_hard = block[kType] == '1';
    const fs::path target = is_hard ? fs::path(link) : fs::path(path).parent_path() / link;
    links_[members.size()] = {.target = target.lexically_normal().string(), .text = link};
    members.push_back({.path = path});
    if (is_hard) resolve(members.size() - 1, members);
  }

  // Gives a link the bytes of the file that it leads to, perhaps over other links; of several of one name the last.
  void resolve(size_t link, std::vector<TarMember>& members) {
    constexpr int kMostLinks = 40;  // Linux follows no more
    for (; known_ < members.size(); ++known_) {
      by_path_[std::filesystem::path(members[known_].path).lexically_normal().string()] = known_;
    }
    size_t at = link;
    for (int i = 0; i < kMostLinks && links_.contains(at); ++i) {
      const auto found = by_path_.find(links_[at].target);
      if (found == by_path_.end()) return;
      at = found->second;
    }
    if (links_.contains(at)) return;
    members[link].offset = members[at].offset;
    members[link].size = members[at].size;
    links_.erase(link);
  }

  // Symbolic links may lead to what comes behind them. Those that lead nowhere are left out.
  void resolve_links(std::vector<TarMember>& members) {
    std::vector<size_t> all;
    for (const auto& [index, link] : links_) all.push_back(index);
    for (const size_t index : all) resolve(index, members);
    for (const auto& [index, link] : links_) {
      leave_out(fmt::format("{} (a link to {})", members[index].path, link.text));
      members[index].offset = -1;
    }
    std::erase_if(members, [](const TarMember& member) { return member.offset < 0; });
  }

  // False at the end of the archive, or of the last of several that were joined.
  bool read_header(Block& block) {
    const bool ended = skip_zeros(block);
    if (ended) return false;
    if (!checksum_fits(block)) {
      if (header_ == begin_) refuse_other_format(block);
      fail(has_ended_ ? "has bytes behind its end that are no member: is it damaged?"
                      : "is damaged or not a tar file: a header's checksum is wrong");
    }
    return true;
  }

  void refuse_other_format(const Block& block) const {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kCompressed{
        {{"\x1F\x8B", "gunzip"},
         {"BZh", "bunzip2"},
         {"\xFD"
          "7zXZ",
          "unxz"},
         {"\x28\xB5\x2F\xFD", "unzstd"}}};
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kArchives{
        {{"PK", "ZIP"}, {"7z\xBC\xAF\x27\x1C", "7z"}, {"Rar!", "RAR"}}};
    const std::string_view begin(reinterpret_cast<const char*>(block.data()), block.size());
    for (const auto& [magic, program] : kCompressed) {
      if (!begin.starts_with(magic)) continue;
      fail(fmt::format("is compressed; it is read in place, so decompress it first ({})", program));
    }
    for (const auto& [magic, kind] : kArchives) {
      if (begin.starts_with(magic)) fail(fmt::format("is a {} file; unpack it and name the folder", kind));
    }
  }

  // Reads the next block that is not all zeros; true if there is none, and zeros have closed the archive.
  bool skip_zeros(Block& block) {
    has_ended_ = false;
    while (true) {
      header_ = position_;
      if (end_ - position_ < kBlock) {
        if (has_ended_) return true;
        fail("is cut off: it ends without the closing blocks of zeros");
      }
      file_.read(position_, kBlock, block.data());
      position_ += kBlock;
      if (!is_zero(block.data(), kBlock)) return false;
      has_ended_ = true;
      skip_blocks_of_zeros();
    }
  }

  // Many at a time: an archive may end with gigabytes of them.
  void skip_blocks_of_zeros() {
    std::vector<uint8_t> blocks(128 * kBlock);
    while (true) {
      const int64_t written = std::min(file_.next_written(position_), end_);
      position_ += (written - position_) / kBlock * kBlock;
      if (end_ - position_ < kBlock) return;
      const int64_t count = std::min<int64_t>(static_cast<int64_t>(blocks.size()), end_ - position_) / kBlock;
      file_.read(position_, count * kBlock, blocks.data());
      for (int64_t i = 0; i < count; ++i, position_ += kBlock) {
        if (!is_zero(blocks.data() + i * kBlock, kBlock)) return;
      }
    }
  }

  std::string read_name(int64_t size) const {
    std::string name = read_text(size);
    name.resize(strnlen(name.c_str(), name.size()));
    return name;
  }

  int64_t size_of_data(const Block& block) const {
    const char type = static_cast<char>(block[kType]);
    if ((type >= '1' && type <= '6') || type == 'V') return 0;  // links, folders, ...: no data whatever the field says
    const bool is_header = type == 'L' || type == 'K' || type == 'x' || type == 'g';
    const auto size = !is_header && extension_.size ? extension_.size : number(block, kSize);
    if (!size) fail("is damaged: a member's size is no number or too large");
    if (*size > end_ - position_) {
      fail(fmt::format("is cut off: a member of {} bytes does not fit into the file's {}", *size, end_ - begin_));
    }
    return *size;
  }

  std::string read_text(int64_t size) const {
    if (size > kMaxNameBytes) fail("is damaged: a member's name is over a megabyte long");
    std::string bytes(static_cast<size_t>(size), '\0');
    file_.read(position_, size, reinterpret_cast<uint8_t*>(bytes.data()));
    return bytes;
  }

  // Records "LENGTH KEY=VALUE\n"; LENGTH counts the whole record.
  void read_pax(const std::string& records) {
    for (size_t begin = 0; begin < records.size();) {
      size_t length = 0;
      const auto [end, error] = std::from_chars(records.data() + begin, records.data() + records.size(), length);
      const size_t key = static_cast<size_t>(end - records.data()) + 1;
      const bool fits = error == std::errc() && length <= records.size() - begin && key < begin + length;
      if (!fits || records[begin + length - 1] != '\n') {
        fail("is damaged: a pax record has a wrong length");
      }
      const std::string record = records.substr(key, begin + length - 1 - key);
      if (record.starts_with("path=")) extension_.path = record.substr(5);
      if (record.starts_with("linkpath=")) extension_.link = record.substr(9);
      if (record.starts_with("size=")) extension_.size = pax_size(record.substr(5));
      if (record.starts_with("GNU.sparse.")) fail("holds a sparse file, which is not supported");
      begin += length;
    }
  }

  int64_t pax_size(const std::string& digits) const {
    const std::optional<int64_t> size = number_in<int64_t>(digits);
    if (!size || *size < 0) fail("is damaged: a member's size is no number or too large");
    return *size;
  }

  std::string path_of(const Block& block) const {
    if (!extension_.path.empty()) return extension_.path;
    // GNU's own format has other things where ustar has the prefix; only ustar ends its magic with a zero.
    const bool is_ustar = text(block, kMagic) == "ustar" && block[kMagic.offset + kMagic.length] == 0;
    const std::string prefix = is_ustar ? text(block, kPrefix) : "";
    return prefix.empty() ? text(block, kName) : prefix + "/" + text(block, kName);
  }

  const FileReader& file_;
  const int64_t begin_, end_;  // the archive's bytes in the file
  int64_t header_ = 0;         // the current header's beginning; messages name it
  int64_t position_;           // next byte to read
  Extension extension_;
  bool has_ended_ = false;  // a block of zeros was read
  LeftOut* left_out_;
  std::unordered_map<std::string, size_t> by_path_{};  // the first known_ members, where there are links
  size_t known_ = 0;
  struct Link {
    std::string target{}, text{};  // the member's path, and how the link names it
  };
  std::map<size_t, Link> links_{};  // by the place among the members; only those that were not resolved yet
};

// The path as unpacking sees it: "./a//b" is "a/b".
std::string plain_path(const std::string& path) {
  const bool is_plain = path.find("//") == std::string::npos && path.find("./") == std::string::npos;
  return is_plain ? path : std::filesystem::path(path).lexically_normal().string();
}

// `tar -r` adds a newer version of a file behind the older one, and unpacking leaves only the last member of a path.
void drop_earlier_versions(const FileReader& file, std::vector<TarMember>& members, LeftOut& left_out) {
  std::unordered_map<uint64_t, size_t> last;  // by the hash of the path
  std::vector<uint64_t> hashes;
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string path = plain_path(members[i].path);
    last[hashes.emplace_back(XXH3_64bits(path.data(), path.size()))] = i;
  }
  if (last.size() == members.size()) return;
  std::vector<TarMember> kept;
  for (size_t i = 0; i < members.size(); ++i) {
    if (last[hashes[i]] == i) {
      kept.push_back(std::move(members[i]));
    } else {
      left_out.add(fmt::format("{}:{} (an earlier version of it)", file.path(), members[i].path));
    }
  }
  members = std::move(kept);
}

std::vector<TarMember> list(const FileReader& file, int64_t begin, int64_t size, LeftOut* left_out) {
  std::vector<TarMember> members = TarIndexer(file, begin, size, left_out).list();
  if (left_out != nullptr) drop_earlier_versions(file, members, *left_out);
  return members;
}

}  // namespace

std::vector<TarMember> list_tar(const FileReader& file, LeftOut* left_out) {
  return list(file, 0, file.size(), left_out);
}

std::string member_name(const FileReader& file, int64_t offset) {
  Block block{};
  if (offset < kBlock || offset > file.size()) return "";
  file.read(offset - kBlock, kBlock, block.data());
  if (!checksum_fits(block)) return "";
  const std::string prefix = text(block, kPrefix);
  return prefix.empty() ? text(block, kName) : prefix + "/" + text(block, kName);
}

std::vector<TarMember> list_tar_inside(const FileReader& file, const TarMember& member, LeftOut* left_out) {
  return list(file, member.offset, member.size, left_out);
}

}  // namespace bn
