#include "system/outputs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "bn/error.hpp"
#include "system/files.hpp"

namespace bn {
namespace {

namespace fs = std::filesystem;

std::string beginning_of(const std::string& path) {
  constexpr int64_t kEnough = 256;
  std::string text;
  std::error_code error;
  if (fs::is_regular_file(path, error)) read_file(path, text, kEnough);  // or throws: it may be anybody's
  return text;
}

bool is_same(const std::string& a, const std::string& b) {
  std::error_code error;
  return fs::equivalent(a, b, error) && !error;
}

bool is_checkpoint_of_a_run(const std::string& path) {
  const fs::path folder = fs::absolute(path).lexically_normal().parent_path();
  return folder.filename() == "checkpoints" && fs::exists(folder.parent_path() / "config.yaml");
}

}  // namespace

void expect_replaceable(const std::string& option, const std::string& path, const std::vector<std::string>& inputs,
                        const IsOwnBeginning& is_own) {
  std::error_code error;
  if (!fs::is_regular_file(path, error) || is_descriptor(path)) return;  // writing it reports its own error
  const auto refuse = [&](const char* why) {
    throw ConfigError(fmt::format("{}: '{}' {}: give another name", option, path, why));
  };
  if (std::ranges::any_of(inputs, [&](const std::string& input) { return is_same(input, path); })) {
    refuse("is what is read");
  }
  if (is_checkpoint_of_a_run(path)) refuse("is a run's checkpoint");
  const std::string beginning = beginning_of(path);
  if (!beginning.empty() && !is_own(beginning)) refuse("is there already and was not written by this command");
}

FolderMark page_mark(const std::string& generator) {
  return {.file = "index.html", .text = fmt::format("content=\"{}\"", generator)};
}

void expect_own_files(const std::string& option, const std::string& folder, const std::vector<std::string>& files,
                      const std::vector<FolderMark>& marks) {
  const bool is_own_folder = std::ranges::any_of(marks, [&](const FolderMark& mark) {
    return beginning_of(fmt::format("{}/{}", folder, mark.file)).find(mark.text) != std::string::npos;
  });
  for (const std::string& file : files) {
    const auto mark = std::ranges::find(marks, file, &FolderMark::file);
    expect_replaceable(option, fmt::format("{}/{}", folder, file), {}, [&](const std::string& beginning) {
      return mark == marks.end() ? is_own_folder : beginning.find(mark->text) != std::string::npos;
    });
  }
}

void expect_own_picture(const std::string& option, const std::string& path) {
  expect_replaceable(option, path, {},
                     [](const std::string& beginning) { return beginning.find(kPictureMark) != std::string::npos; });
}

void expect_apart(const std::string& option, const std::string& folder, const std::vector<std::string>& files) {
  if (!fs::exists(folder)) return;
  for (const std::string& file : files) {
    const fs::path parent = fs::absolute(file).lexically_normal().parent_path();
    if (!is_same(parent.string(), folder)) continue;
    throw ConfigError(fmt::format("{}: '{}' holds {} itself: name another folder", option, folder,
                                  fs::path(file).filename().string()));
  }
}

}  // namespace bn
