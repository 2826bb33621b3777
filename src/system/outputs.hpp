// Files that a command writes must not replace what somebody else made, or what it reads.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace bn {

// True if a file that begins so was written by the same command.
using IsOwnBeginning = std::function<bool(const std::string& beginning)>;

// Throws ConfigError, which names `option`, where `path` is a file that is there and is one of `inputs`, a run's
// checkpoint, or neither empty nor begins as the command's own do. Devices and pipes are free.
void expect_replaceable(const std::string& option, const std::string& path, const std::vector<std::string>& inputs,
                        const IsOwnBeginning& is_own);

// A file that says of its folder that a command of this program wrote there: its beginning holds the text.
struct FolderMark {
  std::string file{};
  std::string text{};
};
FolderMark page_mark(const std::string& generator);

// Throws ConfigError, which names `option`, where the folder holds one of the files and none of the marks; of the files
// that may bear a mark, each must. A command writes its mark before the other files: what it could not finish, it may
// replace.
void expect_own_files(const std::string& option, const std::string& folder, const std::vector<std::string>& files,
                      const std::vector<FolderMark>& marks);

// The pictures that this program writes say so: a text of their PNG files, before the pixels.
constexpr std::string_view kPictureMark{"tEXtSoftware\0bninception", 24};
// Throws ConfigError, which names `option`, where `path` is a file that is there and is no such picture.
void expect_own_picture(const std::string& option, const std::string& path);

// Throws ConfigError, which names `option`, where one of the files lies in the folder itself.
void expect_apart(const std::string& option, const std::string& folder, const std::vector<std::string>& files);

}  // namespace bn
