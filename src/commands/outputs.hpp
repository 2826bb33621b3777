// Files that a command writes must not replace what somebody else made, or what it reads.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace bn {

// True if a file that begins so was written by the same command.
using IsOwnBeginning = std::function<bool(const std::string& beginning)>;

// Throws ConfigError, which names `option`, where `path` is a file that is there and is one of `inputs`, a run's
// checkpoint, or neither empty nor begins as the command's own do. Devices and pipes are free.
void expect_replaceable(const std::string& option, const std::string& path, const std::vector<std::string>& inputs,
                        const IsOwnBeginning& is_own);

// The same for a folder's index.html, which names its generator.
void expect_own_page(const std::string& option, const std::string& folder, const std::string& generator);

// Throws ConfigError, which names `option`, where one of the files lies in the folder itself.
void expect_apart(const std::string& option, const std::string& folder, const std::vector<std::string>& files);

}  // namespace bn
